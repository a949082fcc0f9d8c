/**
 * Nodes of a directory as peers of their tunnel: each is simply there, at its host, and may send from its own
 * inner address alone. Pure.
 */
import type { Node, Nodes, PeerConfig, TunnelConfig } from "../config/model.ts";
import { Secret } from "../config/secret.ts";
import { type IpAddress, isHost } from "../net/address.ts";

export interface Membership {
  /** With these nodes as peers in place of those that it had; the same object where nothing differs. */
  readonly tunnel: TunnelConfig;
  /** Words for each node that is left out though it is not ourselves. */
  readonly refused: readonly string[];
}

/** A peer of a node that stays as it was is the same object as before. */
export function withNodes(tunnel: TunnelConfig, nodes: Nodes): Membership {
  const own = tunnel.peers.filter(({ node }) => !node);
  const before = new Map(tunnel.peers.filter(({ node }) => node).map((peer) => [peer.name, peer]));
  const refuses = refusing(own, nodes);
  const refused: string[] = [];
  const peers: PeerConfig[] = [...own];
  let same = true;
  for (const [address, node] of others(tunnel, nodes)) {
    const reason = refuses(address);
    if (reason !== undefined) {
      refused.push(`node ${address}: ${reason}`);
      continue;
    }
    const peer = before.get(address);
    const stays = peer?.endpoint?.host === node.host && peer.endpoint.port === node.port;
    if (peer === undefined || !stays) same = false;
    peers.push(peer !== undefined && stays ? peer : nodePeer(address, node));
  }
  const unchanged = same && peers.length === tunnel.peers.length;
  return { tunnel: unchanged ? tunnel : Object.freeze({ ...tunnel, peers }), refused };
}

/** Left out are ourselves: the node whose inner address is ours, and every node of that node's host. */
function others({ addresses }: TunnelConfig, nodes: Nodes): [IpAddress, Node][] {
  const ownHosts = new Set<string>();
  for (const { local } of addresses) {
    const node = nodes.get(local);
    if (node !== undefined) ownHosts.add(node.host);
  }
  return [...nodes].filter(([, { host }]) => !ownHosts.has(host));
}

/** Why a node can't be a peer; undefined: it can. */
function refusing(
  own: readonly PeerConfig[],
  nodes: Nodes,
): (address: IpAddress) => string | undefined {
  const names = new Set(own.map(({ name }) => name));
  const taken = new Map<IpAddress, string>();
  for (const { name, allowedIPs } of own) {
    for (const prefix of allowedIPs ?? []) if (isHost(prefix)) taken.set(prefix.address, name);
  }
  const hosts = new Set<string>();
  for (const { host } of nodes.values()) hosts.add(host);
  return (address) => {
    const owner = taken.get(address);
    if (owner !== undefined) return `its inner address is in the allowedIPs of ${owner}`;
    if (names.has(address)) return "a peer of the configuration has its name";
    // What leaves for that host would go into the tunnel.
    return hosts.has(address) ? "its inner address is the outer address of a host" : undefined;
  };
}

/** Never mixed into anything. */
const noSecret = new Secret(Buffer.alloc(0));
const none = Object.freeze({ kind: "none" } as const);

/** As `{ endpoint, auth: none, pinAddress: true, allowedIPs: [ADDRESS/32] }`, from any port. */
function nodePeer(address: IpAddress, { host, port }: Node): PeerConfig {
  return Object.freeze({
    name: address,
    endpoint: Object.freeze({ host, port }),
    proof: none,
    pinAddress: true,
    pinPort: false,
    role: "static",
    identity: none,
    secret: noSecret,
    allowedIPs: Object.freeze([{ address, length: 32 }]),
    keepalive: 0,
    authLifetime: 0,
    maxClockSkew: 0,
    replay: "strict",
    authTtl: 64,
    replyOnAuth: false,
    resolveInterval: 300_000,
    monitor: undefined,
    node: true,
  });
}

export function readsTheSame(a: Nodes, b: Nodes): boolean {
  if (a.size !== b.size) return false;
  for (const [address, { host, port }] of a) {
    const other = b.get(address);
    if (other?.host !== host || other.port !== port) return false;
  }
  return true;
}
