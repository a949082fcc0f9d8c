/**
 * Nodes of a directory as peers of their tunnel: each is simply there, at its host, and may send from its own
 * inner address alone. Pure.
 */
import {
  type Identity,
  mostKeys,
  type Node,
  type Nodes,
  type PeerConfig,
  type TunnelConfig,
} from "../config/model.ts";
import { Secret } from "../config/secret.ts";
import {
  addressBytes,
  contains,
  formatPrefix,
  type IpAddress,
  isHost,
  type Prefix,
} from "../net/address.ts";
import { Claims } from "./node-claims.ts";

export interface Membership {
  /** With these nodes as peers in place of those that it had; the same object where nothing differs. */
  readonly tunnel: TunnelConfig;
  /** Words for each node that is left out though it is not ourselves. */
  readonly refused: readonly string[];
}

/** What is mixed into the proofs between the holder of this seed and that of the key; undefined: it is no key. */
export type Pairing = (seed: Secret, publicKey: Uint8Array) => Secret | undefined;

/**
 * A peer of a node that stays as it was is the same object as before.
 *
 * @param pair Not needed by whoever only looks.
 */
export function withNodes(
  tunnel: TunnelConfig,
  nodes: Nodes,
  pair: Pairing = () => noSecret,
): Membership {
  const own = tunnel.peers.filter(({ node }) => !node);
  const before = new Map(tunnel.peers.filter(({ node }) => node).map((peer) => [peer.name, peer]));
  const roleOf = rolesOf(tunnel, nodes);
  const candidates = others(tunnel, nodes).map(([address, node]) => {
    const peer = before.get(address);
    const role = roleOf(address, node);
    const stays = peer !== undefined && isPeerOf(peer, { address, node, role });
    return { address, node, role, there: stays ? peer : undefined };
  });
  // Whoever has an address keeps it: what has just come or changed asks last.
  const asking = [
    ...candidates.filter(({ there }) => there !== undefined),
    ...candidates.filter(({ there }) => there === undefined),
  ];
  const refuses = refusing(tunnel, own, nodes);
  const made = new Map<IpAddress, PeerConfig | string>();
  for (const candidate of asking) {
    const { address, there } = candidate;
    const reason = refuses(candidate);
    made.set(address, reason ?? there ?? peerOf(candidate, tunnel, pair));
  }
  const peers: PeerConfig[] = [...own];
  const refused: string[] = [];
  let same = true;
  for (const { address, there } of candidates) {
    const peer = made.get(address);
    if (typeof peer === "string") refused.push(`node ${address}: ${peer}`);
    else if (peer !== undefined) peers.push(peer);
    if (typeof peer !== "string" && there === undefined) same = false;
  }
  const unchanged = same && peers.length === tunnel.peers.length;
  return { tunnel: unchanged ? tunnel : Object.freeze({ ...tunnel, peers }), refused };
}

/** A node that may become a peer. */
interface Candidate {
  readonly address: IpAddress;
  readonly node: Node;
  readonly role: PeerConfig["role"];
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
    const host = nodes.get(local)?.host;
    if (host !== undefined && trusted) ownHosts.add(host);
  }
  return [...nodes].filter(
    ([address, { host }]) => !own.has(address) && !(host !== undefined && ownHosts.has(host)),
  );
}

/**
 * Who of two nodes with keys dials: whoever can't be reached; of two that can the one with the lower inner
 * address, which both of them know. Two behind NAT routers both send, each to where the other was seen: either's
 * proof opens its own router, and is the other's answer.
 */
function rolesOf(
  { addresses, directory }: TunnelConfig,
  nodes: Nodes,
): (address: IpAddress, node: Node) => PeerConfig["role"] {
  const reachable = addresses
    .filter(({ local }) => isReachable(nodes.get(local)))
    .map(({ local }) => addressBytes(local))
    .sort((a, b) => a.compare(b));
  const [lowest] = reachable;
  const dials = directory?.limits?.proving?.kind === "key";
  return (address, node) => {
    if (node.publicKey === undefined) return "static";
    if (node.host === undefined || !dials) return "wait";
    if (!isReachable(node)) return lowest === undefined ? "dial" : "wait";
    return lowest === undefined || lowest.compare(addressBytes(address)) < 0 ? "dial" : "wait";
  };
}

/** By whoever has never been heard there. */
function isReachable(node: Node | undefined): boolean {
  return node?.host !== undefined && node.seen !== true;
}

/** Why a node can't be a peer; undefined: it can, and from now on its addresses are taken. */
function refusing(
  { directory, addresses }: TunnelConfig,
  own: readonly PeerConfig[],
  nodes: Nodes,
): (candidate: Candidate) => string | undefined {
  const limits = directory?.limits;
  const names = new Set(own.map(({ name }) => name));
  const lengths = new Set([HOST]);
  const hosts = new Set<string>();
  for (const { host, allowedIPs = [] } of nodes.values()) {
    if (host !== undefined) hosts.add(host);
    for (const { length } of allowedIPs) lengths.add(length);
  }
  const claims = new Claims(lengths);
  const keys = new Map<string, string>();
  let waiting = 0;
  for (const { local } of addresses) claims.take({ address: local, length: HOST }, "ours");
  for (const { name, allowedIPs, proof, role } of own) {
    const whose = `in the allowedIPs of ${name}`;
    for (const prefix of allowedIPs ?? []) {
      if (isHost(prefix)) claims.take(prefix, whose);
      else claims.takeAround(prefix, whose);
    }
    if (proof.kind !== "key") continue;
    keys.set(Buffer.from(proof.publicKey).toString("base64"), name);
    if (role === "wait") waiting++;
  }
  return ({ address, node, role }) => {
    const wanted = prefixesOf(address, node);
    const outside = wanted.find((prefix) => limits && !isWithin(prefix, limits.allowedIPs));
    if (outside !== undefined) {
      return `${formatClaim(outside)} is outside the allowedIPs of the directory`;
    }
    const { publicKey } = node;
    if (publicKey === undefined) {
      if (limits?.unproven === false) return "it has no publicKey, and `auth: none` is not there";
      const network = wanted.find((prefix) => !isHost(prefix));
      if (network !== undefined) return `${formatPrefix(network)} is a network, and it has no key`;
    } else {
      if (limits?.proving === undefined) return "it has a publicKey, which is for nodes of a store";
      const other = keys.get(publicKey);
      if (other !== undefined) return `its publicKey is that of ${other}`;
      if (role === "wait" && waiting >= mostKeys) return `more than ${mostKeys} keys on one port`;
    }
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
    if (publicKey !== undefined) keys.set(publicKey, `node ${address}`);
    if (role === "wait") waiting++;
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

/** Without a key as `{ endpoint, auth: none, pinAddress: true }`, from any port. A text: why it can't be one. */
function peerOf(candidate: Candidate, tunnel: TunnelConfig, pair: Pairing): PeerConfig | string {
  const { address, node } = candidate;
  const { host, port, publicKey } = node;
  const { proving } = tunnel.directory?.limits ?? {};
  if (publicKey !== undefined && proving !== undefined) {
    return keyedPeer(candidate, Buffer.from(publicKey, "base64"), proving, pair);
  }
  if (host === undefined) return "it has no host";
  return Object.freeze({
    ...common(address, node),
    endpoint: Object.freeze({ host, port }),
    proof: none,
    pinAddress: true,
    role: "static",
    identity: none,
    secret: noSecret,
    keepalive: 0,
    replyOnAuth: false,
  });
}

/**
 * It proves itself by its key, and we by ours where we have one. Nothing in a proof of protocol 1 says for whom
 * it is: of two that have keys the secret comes from both, so that neither can show it to a third.
 */
function keyedPeer(
  { address, node, role }: Candidate,
  publicKey: Uint8Array,
  proving: Identity,
  pair: Pairing,
): PeerConfig | string {
  const secret = proving.kind === "key" ? pair(proving.seed, publicKey) : noSecret;
  if (secret === undefined) return "its publicKey is none of ed25519";
  const { host, port } = node;
  const dials = role === "dial" && host !== undefined;
  return Object.freeze({
    ...common(address, node),
    endpoint: dials ? Object.freeze({ host, port }) : undefined,
    proof: Object.freeze({ kind: "key", publicKey }),
    pinAddress: false,
    role,
    identity: proving,
    secret,
    keepalive: dials ? KEEPALIVE : 0,
    replyOnAuth: !dials && proving.kind === "key",
  });
}

/** Milliseconds; as for peers of the configuration. */
const KEEPALIVE = 25_000;
const MAX_CLOCK_SKEW = 300_000;

function common(address: IpAddress, node: Node) {
  return {
    name: address,
    pinPort: false,
    allowedIPs: Object.freeze(prefixesOf(address, node)),
    authLifetime: 0,
    maxClockSkew: node.publicKey === undefined ? 0 : MAX_CLOCK_SKEW,
    replay: "strict",
    authTtl: 64,
    resolveInterval: 300_000,
    monitor: undefined,
    node: true,
  } as const;
}

/** Whether it is what {@link peerOf} would make. */
function isPeerOf(peer: PeerConfig, { address, node, role }: Candidate): boolean {
  if (peer.role !== role) return false;
  // Whoever is waited for comes from anywhere.
  if (role !== "wait" && !leadsTo(peer, node)) return false;
  if (node.publicKey !== undefined && !provesItselfBy(peer, node.publicKey)) return false;
  const { allowedIPs = [] } = peer;
  if (node.allowedIPs === undefined) return allowedIPs.length === 1;
  return samePrefixes(allowedIPs, prefixesOf(address, node));
}

function leadsTo({ endpoint }: PeerConfig, { host, port }: Node): boolean {
  return endpoint?.host === host && endpoint?.port === port;
}

function provesItselfBy({ proof }: PeerConfig, publicKey: string): boolean {
  return proof.kind === "key" && Buffer.from(proof.publicKey).toString("base64") === publicKey;
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
    a.seen === b.seen &&
    samePrefixes(a.allowedIPs ?? [], b.allowedIPs ?? [])
  );
}

function samePrefixes(a: readonly Prefix[], b: readonly Prefix[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ address, length }, i) => address === b[i]?.address && length === b[i]?.length)
  );
}
