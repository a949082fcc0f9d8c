/**
 * What a terminal shows of the README's laptop: the program's own words, made by its own code, about the README's
 * own file, on a host with one device. Written by hand are the command lines alone.
 */
import { plannedSteps } from "../../src/apply/change.ts";
import { compare } from "../../src/apply/compare.ts";
import type { Observation } from "../../src/apply/observation.ts";
import { type CheckResult, renderCheck } from "../../src/cli/check-text.ts";
import { plain } from "../../src/cli/paint.ts";
import { renderStatus } from "../../src/cli/status.ts";
import type { TunnelConfig } from "../../src/config/model.ts";
import { createLog } from "../../src/daemon/log.ts";
import { Narrator } from "../../src/daemon/narrator.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Link } from "../../src/net/objects.ts";
import { desiredState } from "../../src/plan/desired.ts";
import { assignIds } from "../../src/plan/ids.ts";
import { underlayOf } from "../../src/plan/underlay.ts";
import { tunnelStatus } from "../../src/tunnel/status.ts";
import { at, configuration } from "../support/configuration.ts";
import { world } from "../support/tunnel.ts";

/** Of the laptop: a free one, as the kernel would choose it. */
const port = 40_001;
const server = at("203.0.113.1:10000");
const local = ipAddress("192.0.2.2");
const lookedAt = Date.UTC(2027, 0, 15, 8);

const wlan: Link = {
  index: 2,
  name: "wlan0",
  kind: undefined,
  up: true,
  carrier: true,
  mtu: 1500,
  alias: undefined,
  ipip: undefined,
  statistics: undefined,
};

export function session(tunnel: TunnelConfig): string {
  return [
    "$ ipipoud --check | grep -v nftables",
    check(tunnel)
      .split("\n")
      .filter((line) => !line.includes("nftables"))
      .join("\n"),
    "$ ipipoud &",
    start(tunnel),
    "$ ipipoud status",
    status(tunnel),
  ].join("\n");
}

function check(tunnel: TunnelConfig): string {
  const observation: Observation = {
    links: [wlan],
    addresses: [
      {
        ...{ device: "wlan0", local, prefixLength: 24 },
        ...{ peer: undefined, noPrefixRoute: false, protocol: 0 },
      },
    ],
    routes: [],
    devices: { index: () => wlan.index, name: () => wlan.name },
    listeners: [],
    proxies: [],
    sysctls: new Map(),
    resources: [],
    ruleset: { kind: "absent" },
  };
  const whole = configuration([{ ...tunnel, listen: { ...tunnel.listen, device: "wlan0" } }]);
  const ids = assignIds(whole);
  const situation = {
    underlays: new Map(whole.tunnels.map((one) => [one.name, underlayOf(one, observation, port)])),
    endpoints: new Map([
      [
        "ipipou0/server",
        { endpoint: server, remaining: undefined, translated: false, second: false },
      ],
    ]),
    foreignIpip: [],
    now: lookedAt / 1000,
  };
  const change = compare(desiredState(whole, situation, ids), observation, { raise: true });
  const result: CheckResult = { ok: true, steps: plannedSteps(change), findings: [] };
  // As in a pipe.
  return renderCheck(result, plain);
}

function start(tunnel: TunnelConfig): string {
  let lines = "";
  const write = (line: string): void => {
    lines += line;
  };
  const log = createLog({ level: "info", format: "text", journal: false, write });
  const narrator = new Narrator(log);
  const { tunnels, peer, events } = world(configuration([tunnel]));
  tunnels.resolved(peer("ipipou0/server"), server);
  for (const event of events) narrator.tell(event);
  log.info("ready");
  narrator.close();
  tunnels.close();
  return lines;
}

function status(tunnel: TunnelConfig): string {
  const { tunnels, peer, peers } = world(configuration([tunnel]));
  const dialled = peer("ipipou0/server");
  tunnels.resolved(dialled, server);
  dialled.answered = true;
  dialled.lastAuthentication = lookedAt - 12_000;
  tunnels.close();
  const link: Link = {
    ...wlan,
    name: tunnel.interface,
    mtu: 1472,
    statistics: {
      rxBytes: 48_236_912n,
      rxPackets: 40_211n,
      txBytes: 3_902_114n,
      txPackets: 21_630n,
    },
  };
  const facts = { tunnel, local, port, device: "wlan0", translated: false, link };
  const shown = tunnelStatus({ ...facts, peers: [...peers.all()] });
  const queue = { received: 0, accepted: 0, refused: 0, dropped: 0 };
  return renderStatus({ tunnels: [shown], queue }, lookedAt);
}
