/** Gates for tests: a direct tunnel, one with prefixes, a hub; changed as a test likes. */
import { type Endpoint, ipAddress, type Prefix, parsePrefix } from "../../../../src/net/address.ts";
import type { Gate, GatePeer, GateTunnel } from "../../../../src/plan/gate.ts";

export const SERVER = ipAddress("203.0.113.1");
export const KEY = { payload: 73, timed: true };

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

export function endpoint(address: string, port: number): Endpoint {
  return { address: ipAddress(address), port };
}

export function peer(id: number, inner: readonly string[], of: Partial<GatePeer> = {}): GatePeer {
  return {
    id,
    name: `peer${id}`,
    anyPort: false,
    endpoint: undefined,
    translated: false,
    second: false,
    inner: inner.map(prefix),
    others: [],
    lifetime: 0,
    remaining: undefined,
    ...of,
  };
}

export function tunnel(
  name: string,
  peers: readonly GatePeer[],
  of: Partial<GateTunnel> = {},
): GateTunnel {
  return {
    name,
    local: SERVER,
    port: 10_000,
    standIn: undefined,
    mark: 0,
    form: peers.length > 1 ? "hub" : "direct",
    conntrack: "bypass",
    checksum: false,
    authentications: [KEY],
    longer: undefined,
    replies: [],
    heartbeats: [],
    heartbeatPorts: [],
    grows: false,
    peers,
    ...of,
  };
}

export function gate(tunnels: readonly GateTunnel[], of: Partial<Gate> = {}): Gate {
  return {
    table: "ipipou",
    counters: false,
    queue: { number: 26_992, ratePerSource: 10, rateTotal: 1000 },
    epochs: [0x6920],
    tunnels,
    plain: [],
    marks: [],
    clamps: [],
    foreignIpip: [],
    ...of,
  };
}

/** One proven client with a single inner address. */
export function direct(of: Partial<GateTunnel> = {}, peerOf: Partial<GatePeer> = {}): GateTunnel {
  const client = peer(5, ["172.28.0.2/32"], {
    endpoint: endpoint("198.51.100.2", 40_001),
    ...peerOf,
  });
  return tunnel("ipipou0", [client], of);
}

/** Two clients, one proven; the third has prefixes. */
export function hub(of: Partial<GateTunnel> = {}): GateTunnel {
  return tunnel(
    "hub0",
    [
      peer(11, ["172.29.0.2/32"], { endpoint: endpoint("198.51.100.2", 40_001) }),
      peer(12, ["172.29.0.3/32", "172.29.0.4/32"]),
      peer(13, ["172.29.0.5/32", "10.7.0.0/16"], { endpoint: endpoint("198.51.100.9", 7) }),
    ],
    { port: 10_001, ...of },
  );
}

/** The stand-in of a translated tunnel. */
export const STAND_IN = ipAddress("240.0.0.7");

/** One of everything: the gate of test/golden/nft-ruleset.nft. */
export function goldenGate(): Gate {
  const timed = { lifetime: 3_600_000 };
  return gate(
    [
      direct({}, timed),
      hub(),
      hub2("203.0.113.2", 20_001, { checksum: true, conntrack: "track" }),
      hub2("203.0.113.3", 20_002),
      hub2("203.0.113.4", 20_003),
      ...[1, 2].map((i) => direct({ name: `t${i}`, port: 30_000 + i, authentications: [] })),
      direct({ name: "x1", port: 30_003, standIn: STAND_IN, conntrack: "track", mark: 7 }),
      tunnel("x2", [beside(21, 1), peer(22, ["172.31.0.2/32"])], {
        port: 30_004,
        standIn: ipAddress("240.0.0.8"),
      }),
    ],
    { epochs: [0x6920, 0x6921], foreignIpip: [{ local: SERVER, remote: ipAddress("192.0.2.7") }] },
  );
}

/** A hub's peer behind an address that another has. */
export function beside(id: number, port: number): GatePeer {
  const at = { endpoint: endpoint("198.51.100.2", port), translated: true };
  return peer(id, [`172.31.1.${id}/32`], at);
}

function hub2(local: string, port: number, of: Partial<GateTunnel> = {}): GateTunnel {
  const peers = [
    peer(port, ["172.30.0.2/32"], { endpoint: endpoint("198.51.100.3", 5) }),
    peer(port + 100, ["0.0.0.0/0"], { endpoint: endpoint("198.51.100.4", 6) }),
  ];
  return tunnel(`hub-${port}`, peers, { local: ipAddress(local), port, ...of });
}
