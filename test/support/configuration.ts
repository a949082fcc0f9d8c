/** Configurations as values, with a default for everything that a test does not speak of. */
import type {
  Configuration,
  InnerAddress,
  Listen,
  PeerConfig,
  TunnelConfig,
} from "../../src/config/model.ts";
import { Secret } from "../../src/config/secret.ts";
import { type Endpoint, ipAddress, type Prefix, parsePrefix } from "../../src/net/address.ts";
import { assignIds } from "../../src/plan/ids.ts";
import type { KnownEndpoint, Situation, Underlay } from "../../src/plan/situation.ts";

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new TypeError(`"${text}" is no prefix`);
  return parsed;
}

/** `198.51.100.2:40001` */
export function at(text: string): Endpoint {
  const [address = "", port] = text.split(":");
  return { address: ipAddress(address), port: Number(port) };
}

export function known(text: string, remaining?: number): KnownEndpoint {
  return { endpoint: at(text), remaining, translated: false, second: false };
}

/** `172.28.0.1/24` */
export function inner(text: string): InnerAddress {
  const { address, length } = prefix(text);
  return { local: address, length, peer: undefined };
}

export function pointToPoint(local: string, peer: string): InnerAddress {
  return { local: ipAddress(local), length: 32, peer: ipAddress(peer) };
}

export function listen(address: string | undefined, port?: number, device?: string): Listen {
  return { address: address === undefined ? undefined : ipAddress(address), port, device };
}

/** A peer that is waited for, with a key of 32 zeros. */
export function peer(name: string, over: Partial<PeerConfig> = {}): PeerConfig {
  return {
    name,
    endpoint: undefined,
    proof: { kind: "key", publicKey: new Uint8Array(32) },
    pinAddress: false,
    pinPort: false,
    role: "wait",
    identity: { kind: "none" },
    secret: new Secret(Buffer.alloc(0)),
    allowedIPs: undefined,
    keepalive: 0,
    authLifetime: 0,
    maxClockSkew: 300_000,
    replay: "strict",
    authTtl: 64,
    replyOnAuth: false,
    resolveInterval: 300_000,
    monitor: undefined,
    node: false,
    ...over,
  };
}

/** A peer that is dialled by name, with a token. */
export function dialled(name: string, over: Partial<PeerConfig> = {}): PeerConfig {
  return peer(name, {
    role: "dial",
    endpoint: { host: "hub.example.net", port: 10_000 },
    proof: { kind: "none" },
    identity: { kind: "token", token: new Secret(Buffer.from("a token")) },
    keepalive: 25_000,
    ...over,
  });
}

export function tunnel(
  name: string,
  peers: readonly PeerConfig[],
  over: Partial<TunnelConfig> = {},
): TunnelConfig {
  return {
    name,
    interface: name,
    mtu: undefined,
    addresses: [],
    encapsulation: "fou",
    checksum: undefined,
    ttl: 0,
    tos: 0,
    pathMtuDiscovery: true,
    listen: listen("203.0.113.1", 10_000),
    fwmark: undefined,
    routes: [],
    rules: [],
    marks: [],
    proxyArp: [],
    forwarding: false,
    clampMss: false,
    peers,
    directory: undefined,
    ...over,
  };
}

export function configuration(
  tunnels: readonly TunnelConfig[],
  over: Partial<Configuration> = {},
): Configuration {
  return {
    tunnels,
    queue: { number: 26_992, maxLength: 1024, ratePerSource: 10, rateTotal: 1000 },
    table: "ipipou",
    counters: false,
    conntrack: undefined,
    stateDirectory: "/var/lib/ipipoud",
    control: "/run/ipipoud/control.sock",
    metrics: undefined,
    log: { level: "info", format: "text" },
    onStop: "remove",
    ...over,
  };
}

export function underlay(over: Partial<Underlay> = {}): Underlay {
  return {
    local: ipAddress("203.0.113.1"),
    device: undefined,
    index: 2,
    mtu: 1500,
    port: 10_000,
    ...over,
  };
}

/** Underlays as each tunnel's `listen` says. @param endpoints By `tunnel/peer`. */
export function situation(
  { tunnels }: Configuration,
  endpoints: Readonly<Record<string, KnownEndpoint>> = {},
  over: Partial<Situation> = {},
): Situation {
  const underlays = new Map(
    tunnels.map(({ name, encapsulation, listen: { address, port, device } }) => [
      name,
      underlay({ local: address, port: encapsulation === "none" ? 0 : (port ?? 10_000), device }),
    ]),
  );
  return {
    underlays,
    endpoints: new Map(Object.entries(endpoints)),
    foreignIpip: [],
    now: 1_800_000_000,
    ...over,
  };
}

/** The id of `tunnel/peer`. */
export function idAt(config: Configuration, key: string): number {
  for (const one of assignIds(config).byPeer.values()) if (one.key === key) return one.id;
  throw new RangeError(`"${key}" is not in the configuration`);
}
