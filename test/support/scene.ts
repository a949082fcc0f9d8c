/**
 * A host on which our plan stands, as `explain` sees it, and the answers that its kernel would give about
 * routes: longest prefix, then smallest metric, as far as these tests go.
 */
import { explain, type Wanted } from "../../src/apply/explain/explain.ts";
import type {
  Explained,
  Explanation,
  RouteQuestion,
  Scene,
} from "../../src/apply/explain/model.ts";
import { destinationsIn, doorsIn, proofsIn } from "../../src/apply/nftables/learned.ts";
import type { ObservedLimits, ObservedRuleset } from "../../src/apply/nftables/observe.ts";
import { ruleset } from "../../src/apply/nftables/ruleset.ts";
import type { RouteAnswer } from "../../src/apply/route-lookup.ts";
import type { Configuration } from "../../src/config/model.ts";
import type { QueueState } from "../../src/kernel/nfqueue-state.ts";
import type { NftObject } from "../../src/kernel/nftables/objects.ts";
import type { RouteLookup } from "../../src/kernel/route.ts";
import { contains, type IpAddress, ipAddress, networkOf } from "../../src/net/address.ts";
import type { InterfaceAddress, Link, Route } from "../../src/net/objects.ts";
import { desiredState } from "../../src/plan/desired.ts";
import { assignIds } from "../../src/plan/ids.ts";
import type { Resource } from "../../src/plan/resources.ts";
import type { KnownEndpoint } from "../../src/plan/situation.ts";
import { at, situation } from "./configuration.ts";
import { devices } from "./devices.ts";

export const NOW = 1_800_000_000;
/** The host's one outer address, on eth0. */
export const OUTER = ipAddress("203.0.113.1");

export interface HostOptions {
  readonly endpoints?: Readonly<Record<string, KnownEndpoint>>;
  readonly limited?: readonly string[];
  /** undefined: a daemon holds ours. */
  readonly queues?: readonly QueueState[];
  /** What somebody has done to our rules, or to what is there. */
  readonly rules?: (objects: readonly NftObject[]) => readonly NftObject[];
  readonly resources?: (resources: readonly Resource[]) => readonly Resource[];
  /** The gate is not there. */
  readonly noGate?: boolean;
  /** Strict, on every device. */
  readonly rpFilter?: boolean;
}

export class ExplainedHost {
  readonly scene: Scene;
  readonly #routes: readonly Route[];
  readonly #nexthops: ReadonlyMap<number, RouteAnswer>;
  readonly #rpFilter: boolean;
  /** What was asked, in order. */
  readonly asked: RouteQuestion[] = [];

  constructor(configuration: Configuration, options: HostOptions = {}) {
    const { endpoints = {}, rules = same, resources: changed = same, noGate = false } = options;
    const desired = desiredState(configuration, situation(configuration, endpoints, { now: NOW }));
    const resources = changed(desired.resources);
    const objects = rules(ruleset(desired.gate));
    const addresses = [outerAddress, ...resources.flatMap(addressOf)];
    const routes = resources.flatMap((one) => (one.object === "route" ? [one.spec] : []));
    const listeners = resources.flatMap((one) => (one.object === "fou" ? [one.spec] : []));
    const links = [eth0, ...resources.flatMap(linkOf)];
    this.#routes = [...routes, ...addresses.flatMap(connected), byDefault];
    this.#nexthops = new Map(resources.flatMap(nexthopOf));
    this.#rpFilter = options.rpFilter ?? false;
    this.scene = {
      configuration,
      ids: assignIds(configuration),
      observation: {
        ...{ devices: devices(), links, addresses, routes, listeners, resources },
        ...{ proxies: [], sysctls: new Map<string, string>() },
        ruleset: noGate ? { kind: "absent" } : ours(objects),
      },
      limits: limits(options.limited ?? []),
      queues: options.queues ?? [
        { number: configuration.queue.number, port: 4711, waiting: 0, dropped: 0 },
      ],
      now: NOW,
    };
  }

  /** @param text `198.51.100.2:40001`, `172.28.0.2` */
  explain(text: string, { to, source }: { to?: string; source?: string } = {}): Explanation {
    const [address = "", port] = text.split(":");
    const { tunnels } = this.scene.configuration;
    const wanted: Wanted = {
      address: ipAddress(address),
      port: port === undefined ? undefined : at(text).port,
      tunnel: tunnels.find(({ name }) => name === to),
      source: source === undefined ? undefined : ipAddress(source),
    };
    const walk = explain(this.scene, wanted);
    let next = walk.next();
    while (next.done !== true) next = walk.next(this.answer(next.value));
    return next.value;
  }

  /** The one packet of this kind. */
  packet(
    kind: Explained["packet"] | "out",
    text: string,
    options?: { to?: string; source?: string },
  ): Explained {
    const all = this.explain(text, options).packets.filter(({ packet, direction }) =>
      kind === "out" ? direction === "out" : direction === "in" && packet === kind,
    );
    const [one, ...more] = all;
    if (one === undefined || more.length > 0) throw new Error(`${all.length} of ${kind}: ${text}`);
    return one;
  }

  answer(question: RouteQuestion): RouteAnswer {
    this.asked.push(question);
    const { to, from, iif } = question;
    const own = this.#owns(to);
    if (iif !== undefined && from !== undefined) {
      if (this.#owns(from)) return { error: "EINVAL" };
      const back = this.#look(from);
      if (this.#rpFilter && ("error" in back || back.device !== iif)) return { error: "EXDEV" };
      if (!own) return { error: "EHOSTUNREACH" };
    } else if (from !== undefined && !this.#owns(from)) return { error: "EINVAL" };
    if (own) return { ...nothing, type: "local", table: 255, device: "lo" };
    return this.#look(to);
  }

  #owns(address: IpAddress): boolean {
    const { addresses } = this.scene.observation;
    return (
      addresses.some(({ local }) => local === address) ||
      this.#routes.some(
        ({ type, destination }) => type === "local" && destination.address === address,
      )
    );
  }

  #look(to: IpAddress): RouteAnswer {
    const [best] = this.#routes
      .filter(({ destination, type }) => type !== "local" && contains(destination, to))
      .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric);
    switch (best?.type) {
      case undefined:
        return { error: "ENETUNREACH" };
      case "unreachable":
        return { error: "EHOSTUNREACH" };
      case "blackhole":
        return { error: "EINVAL" };
    }
    const nexthop = best?.nexthop === undefined ? undefined : this.#nexthops.get(best.nexthop);
    return nexthop ?? { ...nothing, device: best?.device, gateway: best?.gateway };
  }
}

function same<T>(of: T): T {
  return of;
}

const nothing: RouteLookup = {
  ...{ type: "unicast", table: 254 },
  ...{ device: undefined, gateway: undefined, source: undefined },
};

function ours(objects: readonly NftObject[]): ObservedRuleset {
  return {
    kind: "ours",
    objects,
    proofs: proofsIn(objects),
    doors: doorsIn(objects),
    destinations: destinationsIn(objects),
  };
}

function limits(limited: readonly string[]): ObservedLimits {
  const left = new Map(limited.map((address) => [ipAddress(address), 700]));
  return { sources: new Map(), limited: left };
}

const link = { kind: undefined, up: true, carrier: true, mtu: 1500, statistics: undefined };
const eth0: Link = { ...link, index: 2, name: "eth0", alias: undefined, ipip: undefined };

function linkOf(resource: Resource): Link[] {
  if (resource.object !== "link") return [];
  const { name, alias, mtu, ipip, up } = resource.spec;
  return [{ ...link, kind: "ipip", index: 9, name, alias, mtu, ipip, up }];
}

const outerAddress: InterfaceAddress = {
  ...{ device: "eth0", local: OUTER, prefixLength: 24, peer: undefined },
  ...{ noPrefixRoute: false, protocol: 0 },
};

function addressOf(resource: Resource): InterfaceAddress[] {
  return resource.object === "address" ? [resource.spec] : [];
}

function connected({
  device,
  local,
  prefixLength,
  peer,
  noPrefixRoute,
}: InterfaceAddress): Route[] {
  if (noPrefixRoute) return [];
  const destination = networkOf({ address: peer ?? local, length: prefixLength });
  return [{ ...byDefault, destination, device, gateway: undefined }];
}

const byDefault: Route = {
  ...{ type: "unicast", destination: { address: ipAddress("0.0.0.0"), length: 0 } },
  ...{ table: 254, metric: 0, protocol: 3, onlink: false, nexthop: undefined, source: undefined },
  ...{ device: "eth0", gateway: ipAddress("203.0.113.254") },
};

function nexthopOf(resource: Resource): [number, RouteAnswer][] {
  if (resource.object !== "nexthop") return [];
  const { id, to } = resource.spec;
  if (to.kind !== "gateway") return [[id, { error: "EINVAL" }]];
  return [[id, { ...nothing, device: to.device, gateway: to.gateway }]];
}
