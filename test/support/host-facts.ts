/** A healthy host as a value, and what is found on one that differs from it. */
import type { HostFacts } from "../../src/apply/host/facts.ts";
import { hostFindings } from "../../src/apply/host/findings/all.ts";
import type { Observation } from "../../src/apply/observation.ts";
import type { Configuration } from "../../src/config/model.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { InterfaceAddress, Link, Route } from "../../src/net/objects.ts";
import { desiredState } from "../../src/plan/desired.ts";
import type { Situation } from "../../src/plan/situation.ts";
import { prefix, situation } from "./configuration.ts";
import { devices } from "./devices.ts";

export function healthy(over: Partial<HostFacts> = {}): HostFacts {
  return {
    missingCapabilities: [],
    inFirstUserNamespace: true,
    modules: new Map([
      ["ipip", "there"],
      ["nfnetlink_queue", "loadable"],
    ]),
    refusals: [],
    daemonRuns: false,
    queueHolder: undefined,
    udpSockets: [],
    sysctls: new Map([["net/ipv4/ip_forward", "0"]]),
    ways: new Map(),
    unresolved: new Map(),
    firewall: [],
    legacyTables: [],
    networkd: undefined,
    networkManagerProfiles: new Map(),
    clock: { now: 1_800_000_000, synchronised: undefined, past: [] },
    publicSecrets: [],
    stateDirectory: undefined,
    control: undefined,
    openFiles: 524_288,
    ...over,
  };
}

export function link(name: string, index: number, over: Partial<Link> = {}): Link {
  return {
    ...{ index, name, kind: undefined, up: true, carrier: true, mtu: 1500 },
    ...{ alias: undefined, ipip: undefined, statistics: undefined },
    ...over,
  };
}

/** `203.0.113.1/24` */
export function addressOn(device: string, text: string): InterfaceAddress {
  const { address, length } = prefix(text);
  return {
    ...{ device, local: address, prefixLength: length },
    ...{ peer: undefined, noPrefixRoute: false, protocol: 0 },
  };
}

export function route(destination: string, device: string, over: Partial<Route> = {}): Route {
  return {
    ...{ type: "unicast", destination: prefix(destination), table: 254, metric: 0, protocol: 3 },
    ...{ device, gateway: undefined, onlink: false, nexthop: undefined, source: undefined },
    ...over,
  };
}

/** eth0 with 203.0.113.1 and the default route; a second one, down a lane of its own. */
export function observation(over: Partial<Observation> = {}): Observation {
  return {
    devices: devices(),
    links: [link("lo", 1, { mtu: 65_536 }), link("eth0", 2), link("eth1", 3)],
    addresses: [addressOn("lo", "127.0.0.1/8"), addressOn("eth0", "203.0.113.1/24")],
    routes: [route("0.0.0.0/0", "eth0", { gateway: ipAddress("203.0.113.254") })],
    listeners: [],
    proxies: [],
    sysctls: new Map(),
    resources: [],
    ruleset: { kind: "absent" },
    ...over,
  };
}

export interface Judging {
  readonly facts?: Partial<HostFacts>;
  readonly observation?: Partial<Observation>;
  readonly situation?: Partial<Situation>;
}

export function findingsOn(configuration: Configuration, judging: Judging = {}) {
  const situated = { ...situation(configuration), ...judging.situation };
  return hostFindings({
    configuration,
    observation: observation(judging.observation),
    situation: situated,
    desired: desiredState(configuration, situated),
    facts: healthy(judging.facts),
  });
}

export function codesOn(configuration: Configuration, judging: Judging = {}): string[] {
  return findingsOn(configuration, judging).map(({ code }) => code);
}
