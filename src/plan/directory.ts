/**
 * Nodes of a directory as peers of their tunnel: each is simply there, at its host, and may send from its own
 * inner address alone. Pure.
 */
import type { Node, Nodes, PeerConfig, TunnelConfig } from "../config/model.ts";
import { Secret } from "../config/secret.ts";
import { contains, formatPrefix, type IpAddress, isHost, type Prefix } from "../net/address.ts";
import { Claims } from "./node-claims.ts";

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
  const candidates = others(tunnel, nodes).map(([address, node]) => {
    const peer = before.get(address);
    const stays = peer !== undefined && isPeerOf(peer, address, node);
    return { address, node, there: stays ? peer : undefined };
  });
  // Whoever has an address keeps it: what has just come or changed asks last.
  const asking = [
    ...candidates.filter(({ there }) => there !== undefined),
    ...candidates.filter(({ there }) => there === undefined),
  ];
  const refuses = refusing(tunnel, own, nodes);
  const reasons = new Map<IpAddress, string>();
  for (const { address, node } of asking) {
    const reason = refuses(address, node);
    if (reason !== undefined) reasons.set(address, reason);
  }
  const peers: PeerConfig[] = [...own];
  let same = true;
  for (const { address, node, there } of candidates) {
    if (reasons.has(address)) continue;
    if (there === undefined) same = false;
    peers.push(there ?? nodePeer(address, node));
  }
  const unchanged = same && peers.length === tunnel.peers.length;
  const refused = candidates.flatMap(({ address }) => {
    const reason = reasons.get(address);
    return reason === undefined ? [] : [`node ${address}: ${reason}`];
  });
  return { tunnel: unchanged ? tunnel : Object.freeze({ ...tunnel, peers }), refused };
}

/**
 * Left out are ourselves: the node whose inner address is ours, and every node of that node's host. Where each
 * entry is somebody else's to write it is no more than the node: its host would be anybody's word.
 */
function others({ addresses, directory }: TunnelConfig, nodes: Nodes): [IpAddress, Node][] {
  const ownHosts = new Set<string>();
  const own = new Set(addresses.map(({ local }) => local));
  const trusted = directory?.from.kind !== "store";
  for (const local of own) {
    const node = nodes.get(local);
    if (node !== undefined && trusted) ownHosts.add(node.host);
  }
  return [...nodes].filter(([address, { host }]) => !own.has(address) && !ownHosts.has(host));
}

/** Why a node can't be a peer; undefined: it can, and from now on its addresses are taken. */
function refusing(
  { directory, addresses }: TunnelConfig,
  own: readonly PeerConfig[],
  nodes: Nodes,
): (address: IpAddress, node: Node) => string | undefined {
  const limits = directory?.limits;
  const names = new Set(own.map(({ name }) => name));
  const lengths = new Set([HOST]);
  const hosts = new Set<string>();
  for (const { host, allowedIPs = [] } of nodes.values()) {
    hosts.add(host);
    for (const { length } of allowedIPs) lengths.add(length);
  }
  const claims = new Claims(lengths);
  for (const { local } of addresses) claims.take({ address: local, length: HOST }, "ours");
  for (const { name, allowedIPs } of own) {
    const whose = `in the allowedIPs of ${name}`;
    for (const prefix of allowedIPs ?? []) {
      if (isHost(prefix)) claims.take(prefix, whose);
      else claims.takeAround(prefix, whose);
    }
  }
  return (address, node) => {
    const wanted = prefixesOf(address, node);
    const outside = wanted.find((prefix) => limits && !isWithin(prefix, limits.allowedIPs));
    if (outside !== undefined) {
      return `${formatClaim(outside)} is outside the allowedIPs of the directory`;
    }
    if (node.publicKey !== undefined) return "proofs by its key are not supported yet";
    if (limits?.unproven === false) return "it has no publicKey, and `auth: none` is not there";
    const network = wanted.find((prefix) => !isHost(prefix));
    if (network !== undefined) return `${formatPrefix(network)} is a network, and it has no key`;
    // What is its inner address first, so that the words speak of that.
    for (const prefix of wanted) {
      const owner = claims.ownerOf(prefix);
      if (owner === undefined) continue;
      if (prefix === wanted[0]) return `its inner address is ${owner}`;
      return `it claims ${formatClaim(prefix)}, which is ${owner}`;
    }
    if (names.has(address)) return "a peer of the configuration has its name";
    // What leaves for that host would go into the tunnel.
    if (hosts.has(address)) return "its inner address is the outer address of a host";
    for (const prefix of wanted) claims.take(prefix, `that of node ${address}`);
    return undefined;
  };
}

const HOST = 32;

/** Its own inner address, and what else is behind it. */
function prefixesOf(address: IpAddress, { allowedIPs = [] }: Node): readonly Prefix[] {
  const own: Prefix = { address, length: HOST };
  return [own, ...allowedIPs.filter((prefix) => formatPrefix(prefix) !== formatPrefix(own))];
}

function isWithin(prefix: Prefix, allowed: readonly Prefix[]): boolean {
  return allowed.some(
    (network) => network.length <= prefix.length && contains(network, prefix.address),
  );
}

function formatClaim(prefix: Prefix): string {
  return isHost(prefix) ? prefix.address : formatPrefix(prefix);
}

/** Never mixed into anything. */
const noSecret = new Secret(Buffer.alloc(0));
const none = Object.freeze({ kind: "none" } as const);

/** As `{ endpoint, auth: none, pinAddress: true, allowedIPs: [ADDRESS/32] }`, from any port. */
function nodePeer(address: IpAddress, node: Node): PeerConfig {
  const { host, port } = node;
  return Object.freeze({
    name: address,
    endpoint: Object.freeze({ host, port }),
    proof: none,
    pinAddress: true,
    pinPort: false,
    role: "static",
    identity: none,
    secret: noSecret,
    allowedIPs: Object.freeze(prefixesOf(address, node)),
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

/** Whether it is what {@link nodePeer} would make. */
function isPeerOf(
  { endpoint, allowedIPs = [] }: PeerConfig,
  address: IpAddress,
  node: Node,
): boolean {
  if (endpoint?.host !== node.host || endpoint.port !== node.port) return false;
  if (node.allowedIPs === undefined) return allowedIPs.length === 1;
  return samePrefixes(allowedIPs, prefixesOf(address, node));
}

export function readsTheSame(a: Nodes, b: Nodes): boolean {
  if (a.size !== b.size) return false;
  for (const [address, node] of a) {
    const other = b.get(address);
    if (other === undefined || !isSameNode(node, other)) return false;
  }
  return true;
}

export function isSameNode(a: Node, b: Node): boolean {
  return (
    a.host === b.host &&
    a.port === b.port &&
    a.publicKey === b.publicKey &&
    samePrefixes(a.allowedIPs ?? [], b.allowedIPs ?? [])
  );
}

function samePrefixes(a: readonly Prefix[], b: readonly Prefix[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ address, length }, i) => address === b[i]?.address && length === b[i]?.length)
  );
}
