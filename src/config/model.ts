/**
 * A configuration after validation: names resolved to values, secrets read, defaults filled in, frozen.
 * Every part of the program reads this; only config/ makes it. Durations are milliseconds.
 */
import type { Endpoint, IpAddress, Prefix } from "../net/address.ts";
import type { Secret } from "./secret.ts";

export interface Configuration {
  readonly tunnels: readonly TunnelConfig[];
  readonly queue: QueueConfig;
  /** Name of our nf_tables table. */
  readonly table: string;
  readonly counters: boolean;
  /** undefined: by role (bypass for a tunnel that waits, track for one that only dials). */
  readonly conntrack: "bypass" | "track" | undefined;
  readonly stateDirectory: string;
  readonly control: string;
  readonly log: { readonly level: LogLevel; readonly format: "text" | "json" };
  /** Where metrics may be asked for; undefined: nowhere. */
  readonly metrics: Endpoint | undefined;
  readonly onStop: "remove" | "keep";
}

export type LogLevel = "error" | "warning" | "info" | "debug";

export interface QueueConfig {
  readonly number: number;
  readonly maxLength: number;
  /** Per source address, packets a second. */
  readonly ratePerSource: number;
  readonly rateTotal: number;
}

export interface TunnelConfig {
  readonly name: string;
  readonly interface: string;
  readonly mtu: number | undefined;
  readonly addresses: readonly InnerAddress[];
  readonly encapsulation: "fou" | "none";
  /** undefined: the kernel's default (off). */
  readonly checksum: boolean | undefined;
  /** 0: inherit. */
  readonly ttl: number;
  /** Of outer packets; 1: the inner packet's, as the kernel has it. */
  readonly tos: number;
  readonly pathMtuDiscovery: boolean;
  readonly listen: Listen;
  readonly fwmark: number | undefined;
  readonly routes: readonly RouteConfig[];
  readonly rules: readonly RuleConfig[];
  readonly marks: readonly MarkConfig[];
  readonly proxyArp: readonly ProxyArpConfig[];
  readonly forwarding: boolean;
  readonly clampMss: boolean;
  readonly peers: readonly PeerConfig[];
  /** Peers from elsewhere, which come and go while it runs. */
  readonly directory: DirectoryConfig | undefined;
}

export interface DirectoryConfig {
  readonly from: DirectoryOrigin;
  readonly interval: number;
  /** What it may say of its nodes; undefined: it is its operator's own word. */
  readonly limits?: DirectoryLimits | undefined;
}

export type DirectoryOrigin =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "url"; readonly url: string; readonly caFile: string | undefined }
  | StoreOrigin;

/** A prefix of the keys of an etcd cluster. */
export interface StoreOrigin {
  readonly kind: "store";
  /** Of the cluster's members; their origins alone. */
  readonly members: readonly string[];
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly caFile: string | undefined;
  /** What we show them, where they ask. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly publish: PublishConfig | undefined;
}

/** What we write into a store ourselves. */
export interface PublishConfig {
  /**
   * Where we are reached: as we see our outer address, as a hub saw it, nowhere (we come ourselves), or there.
   * undefined: nothing about ourselves.
   */
  readonly endpoint:
    | "own"
    | "seen"
    | "none"
    | { readonly host: string; readonly port: number }
    | undefined;
  /** Where those that come to us were seen. */
  readonly report: boolean;
  /** Milliseconds that it outlasts us. */
  readonly lease: number;
}

export interface DirectoryLimits {
  /** Inner addresses that its nodes may have. */
  readonly allowedIPs: readonly Prefix[];
  /** Nodes without a key are taken, too. */
  readonly unproven: boolean;
  /** Whether nodes may have keys, and how we prove ourselves to those. */
  readonly proving: Identity | undefined;
}

/** Where an inner address of a directory is reached. */
export interface Node {
  /** An IPv4 address, or a name in lower case. undefined: it can't be reached, but comes; then it has a key. */
  readonly host: string | undefined;
  readonly port: number;
  /** By which it proves itself; base64. undefined: it is simply there. */
  readonly publicKey?: string;
  /** What else is behind it. */
  readonly allowedIPs?: readonly Prefix[];
  /** Its host is where a hub saw it, behind a NAT router: it must send before anybody can reach it there. */
  readonly seen?: true;
}

/** By inner address. */
export type Nodes = ReadonlyMap<IpAddress, Node>;

export interface RouteConfig {
  readonly to: Prefix;
  readonly via: IpAddress | undefined;
  /** undefined: the tunnel's own. */
  readonly device: string | undefined;
  readonly table: number;
  readonly metric: number;
  /** Preferred source. */
  readonly source: IpAddress | undefined;
  /** Through a tunnel with several peers: the name of the one that it leads to. */
  readonly peer: string | undefined;
}

export interface RuleConfig {
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  readonly fwmark: Mark | undefined;
  readonly table: number;
  readonly priority: number;
}

/** A packet's mark: the bits of `mask` have this value. */
export interface Mark {
  readonly value: number;
  readonly mask: number;
}

export interface MarkConfig {
  readonly protocol: number | undefined;
  readonly source: Prefix | undefined;
  readonly destination: Prefix | undefined;
  readonly sourcePort: Ports | undefined;
  readonly destinationPort: Ports | undefined;
  /** undefined: what comes in anywhere but from the tunnel, and what is sent here. */
  readonly inputDevice: string | undefined;
  readonly mark: Mark;
}

/** The first and the last. */
export interface Ports {
  readonly first: number;
  readonly last: number;
}

export interface ProxyArpConfig {
  readonly address: IpAddress;
  readonly device: string;
}

export interface InnerAddress {
  readonly local: IpAddress;
  readonly length: number;
  /** Point-to-point form. */
  readonly peer: IpAddress | undefined;
}

export interface Listen {
  readonly address: IpAddress | undefined;
  readonly port: number | undefined;
  readonly device: string | undefined;
}

export interface PeerConfig {
  readonly name: string;
  /**
   * Where it is dialled (or, with a pin, where it must come from); the host may be a name. Port 0: none, as
   * there is no UDP.
   */
  readonly endpoint: { readonly host: string; readonly port: number } | undefined;
  /** A peer that is waited for has one of these; a dialled peer's is about its replies. */
  readonly proof: Proof;
  readonly pinAddress: boolean;
  readonly pinPort: boolean;
  /** Dialled (we prove ourselves), waited for (it does), or static (no proof either way). */
  readonly role: "dial" | "wait" | "static";
  /** How we prove ourselves to it, where we do. */
  readonly identity: Identity;
  /** Mixed into signatures; empty where none is written. */
  readonly secret: Secret;
  /** undefined: any source (single peer only), no routes. */
  readonly allowedIPs: readonly Prefix[] | undefined;
  /** 0: never. */
  readonly keepalive: number;
  /** 0: until it roams. */
  readonly authLifetime: number;
  readonly maxClockSkew: number;
  readonly replay: "strict" | "window" | "off";
  readonly authTtl: number;
  /** Waited for: its authentications are answered. */
  readonly replyOnAuth: boolean;
  readonly resolveInterval: number;
  /** An inner ping, for a dialled peer that never replies. */
  readonly monitor: Monitor | undefined;
  /** From the tunnel's directory; see {@link isOpenNode}. */
  readonly node: boolean;
}

export interface Monitor {
  readonly ping: IpAddress;
  readonly interval: number;
  /** So many pings in a row without an answer, and it is looked up and authenticated to again. */
  readonly failures: number;
}

/**
 * It may send authentications: it is waited for, or it is simply there, and only half of its endpoint is
 * pinned or it wants to be answered. Then an empty packet says where it is, as clients of ipipou 0.1 without
 * any proof send.
 */
export function isAwaited(
  peer: Pick<PeerConfig, "role" | "pinAddress" | "pinPort" | "replyOnAuth" | "node">,
): boolean {
  const { role, pinAddress, pinPort, replyOnAuth } = peer;
  if (isOpenNode(peer)) return false;
  return role === "wait" || (role === "static" && (!(pinAddress && pinPort) || replyOnAuth));
}

/** A node without a key: it is simply there, and sends from any port of its address, as udptun does. */
export function isOpenNode({ role, node }: Pick<PeerConfig, "role" | "node">): boolean {
  return node && role === "static";
}

/** Nodes that prove themselves may come while it runs. */
export function mayHaveKeys({ directory }: Pick<TunnelConfig, "directory">): boolean {
  return directory?.limits?.proving !== undefined;
}

/** Protocol 1 names no key, so each key on a port may cost a verification per packet. */
export const mostKeys = 256;

export type Proof =
  | { readonly kind: "key"; readonly publicKey: Uint8Array }
  | { readonly kind: "token"; readonly token: Secret }
  | Heartbeat
  | { readonly kind: "none" };

/** footunnel's: the secret itself, on a UDP port of its own. */
export interface Heartbeat {
  readonly kind: "heartbeat";
  readonly port: number;
  readonly secret: Secret;
}

export type Identity =
  | { readonly kind: "key" /** ed25519 seed, 32 bytes */; readonly seed: Secret }
  | { readonly kind: "token"; readonly token: Secret }
  | Heartbeat
  | { readonly kind: "none" };

export type { Endpoint };
