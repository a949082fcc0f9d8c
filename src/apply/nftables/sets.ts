/** The sets and maps of our table, and which of a tunnel's it needs. */
import type { Hex } from "../../kernel/nftables/data.ts";
import type { StatefulExpression } from "../../kernel/nftables/expressions/stateful.ts";
import type { Field, NftSet } from "../../kernel/nftables/objects.ts";
import { plainUserdata, typeofUserdata } from "../../kernel/nftables/typeof.ts";
import { type IpAddress, isHost } from "../../net/address.ts";
import type { Gate, GatePeer, GateTunnel } from "../../plan/gate.ts";
import {
  ADDRESS,
  INTERFACE,
  ip,
  NODE,
  type PacketKey,
  PORT,
  SENDER,
  SENDER_AND_INNER,
  VERDICT,
} from "./fields.ts";
import { knownLimit } from "./limits.ts";
import {
  destinationPortMap,
  endpointsSet,
  guardSet,
  hostsSet,
  knownSet,
  LIMITED,
  nodesSet,
  PLACES,
  peersMap,
  realMap,
  SEEN,
  SOURCES,
  TUNNELS,
} from "./names.ts";

/** Source addresses whose rate is remembered; beyond that the total rate alone protects. */
const MOST_SOURCES = 65_535;
/** Milliseconds after its last packet that an address is forgotten: its bucket is full again anyway. */
const SOURCE_TIMEOUT = 10_000;

interface Options {
  readonly data?: Field;
  readonly size?: number;
  readonly timeouts?: boolean;
  readonly expressions?: readonly StatefulExpression[];
}

/** A key of fields that have named types. */
export function set(name: string, key: readonly Field[], options: Options = {}): NftSet {
  return make(name, key, plainUserdata(key, options.data), options);
}

/** A key of several fields of the packet, some without a name. */
export function setOf(
  name: string,
  { key, userdata }: TypeofKey,
  options: Omit<Options, "data"> = {},
): NftSet {
  return make(name, key, userdata, options);
}

/** A verdict map with such a key. */
export function verdictsBy(
  name: string,
  { key, verdictUserdata }: TypeofKey,
  options: Omit<Options, "data"> = {},
): NftSet {
  return make(name, key, verdictUserdata, { ...options, data: VERDICT });
}

/** Reckoned once: there are three sets for each tunnel. */
interface TypeofKey {
  readonly key: readonly Field[];
  readonly userdata: Hex;
  readonly verdictUserdata: Hex;
}

function typeofKey({ fields }: PacketKey): TypeofKey {
  return {
    // Raw fields are integers to nft.
    key: fields.map((field) => (field === ip.source ? ADDRESS : RAW)),
    userdata: typeofUserdata(fields, false),
    verdictUserdata: typeofUserdata(fields, true),
  };
}

const RAW: Field = { type: "integer", bytes: 4 };
const BY_SENDER = typeofKey(SENDER);
const BY_NODE = typeofKey(NODE);
const BY_SENDER_AND_INNER = typeofKey(SENDER_AND_INNER);

function make(name: string, key: readonly Field[], userdata: Hex, options: Options): NftSet {
  const timeouts = options.timeouts ?? false;
  return {
    kind: "set",
    name,
    key,
    data: options.data,
    timeouts,
    defaultTimeout: 0,
    dynamic: false,
    // A fixed size makes the look-up cheaper, but only where nothing expires.
    size: timeouts || options.size === undefined ? 0 : capacity(options.size),
    expressions: options.expressions ?? [],
    userdata,
  };
}

/** Peers all of whose inner addresses are single ones: one look-up decides. */
export function isExact(peer: GatePeer): boolean {
  return !peer.anyPort && peer.inner.every(isHost);
}

export interface Needs {
  readonly exact: boolean;
  readonly nodes: boolean;
  readonly prefixes: boolean;
  /** Something may have to be looked at: a proof, or an answer to ours. */
  readonly authentications: boolean;
  readonly hub: boolean;
  /** Some peer's network surrounds many single addresses of others. */
  readonly hosts: boolean;
  /**
   * A foreign device takes bare protocol 4 from anyone at this address. A hub's own device is the better
   * match for all of it, so there is nothing to leave to the other.
   */
  readonly guard: boolean;
}

/** More compares than this cost more than one look-up. */
const MOST_HOST_COMPARES = 6;

export function surroundsMany({ others }: GatePeer): boolean {
  return others.length > MOST_HOST_COMPARES && others.filter(isHost).length > MOST_HOST_COMPARES;
}

/** Every single inner address of the tunnel's peers. */
export function hostsOf({ peers }: GateTunnel): IpAddress[] {
  const hosts = peers.flatMap(({ inner }) => inner.filter(isHost).map(({ address }) => address));
  return [...new Set(hosts)];
}

export function needsOf(gate: Pick<Gate, "foreignIpip">, tunnel: GateTunnel): Needs {
  const { exact, nodes, prefixes } = count(tunnel);
  return {
    exact: exact > 0,
    nodes: nodes > 0,
    prefixes: prefixes > 0,
    authentications: listens(tunnel),
    hub: tunnel.form === "hub",
    hosts: tunnel.peers.some(surroundsMany),
    guard: isGuarded(gate, tunnel),
  };
}

/** Peers of each kind, in one go: a hub has very many. */
function count({ peers }: GateTunnel) {
  const counted = { exact: 0, addresses: 0, nodes: 0, prefixes: 0, timeouts: false };
  for (const peer of peers) {
    if (peer.lifetime > 0) counted.timeouts = true;
    if (peer.anyPort) counted.nodes++;
    else if (isExact(peer)) {
      counted.exact++;
      counted.addresses += peer.inner.length;
    } else counted.prefixes++;
  }
  return counted;
}

/** Something may have to be looked at. */
export function listens({ authentications, replies }: GateTunnel): boolean {
  return authentications.length > 0 || replies.length > 0;
}

/** Bare protocol 4 is for a device of somebody else, but for what comes from the tunnel's peer. */
export function isGuarded({ foreignIpip }: Pick<Gate, "foreignIpip">, tunnel: GateTunnel): boolean {
  if (tunnel.form !== "direct") return false;
  return foreignIpip.some(
    ({ local, remote }) => remote === undefined && covers(local, tunnel.local),
  );
}

/** A foreign device without a local address listens on all. */
export function covers(foreign: string, local: string): boolean {
  return foreign === local || foreign === "0.0.0.0";
}

interface SetExpressions {
  readonly counters: readonly StatefulExpression[];
  readonly limits: readonly StatefulExpression[];
}

export function setExpressions({ counters, queue }: Gate): SetExpressions {
  return {
    counters: counters ? [{ kind: "counter", packets: 0n, bytes: 0n }] : [],
    limits: [knownLimit(queue.ratePerSource)],
  };
}

/** @param shared Expressions of all tunnels' sets. */
export function tunnelSets(tunnel: GateTunnel, needs: Needs, shared: SetExpressions): NftSet[] {
  const { name, peers, grows } = tunnel;
  const sized = (size: number) => (grows ? {} : { size });
  const { addresses, nodes, prefixes, timeouts } = count(tunnel);
  const each = { ...sized(peers.length), timeouts };
  const sets: NftSet[] = [];
  if (needs.exact) {
    const options = { ...sized(addresses), timeouts, expressions: shared.counters };
    sets.push(setOf(knownSet(name), BY_SENDER_AND_INNER, options));
  }
  if (needs.nodes) {
    sets.push(setOf(nodesSet(name), BY_NODE, { timeouts, expressions: shared.counters }));
  }
  if (needs.prefixes) {
    const options = {
      ...sized(nodes + prefixes),
      ...{ timeouts, expressions: shared.counters },
    };
    sets.push(verdictsBy(peersMap(name), BY_SENDER, options));
  }
  if (needs.authentications) {
    const options = { ...each, expressions: shared.limits };
    sets.push(setOf(endpointsSet(name), BY_SENDER, options));
  }
  if (needs.hub) {
    sets.push(set(destinationPortMap(name), [ADDRESS], { ...each, data: PORT }));
    sets.push(set(realMap(name), [ADDRESS], { ...each, data: ADDRESS }));
  }
  if (needs.guard) sets.push(set(guardSet(name), [ADDRESS], each));
  if (needs.hosts) {
    sets.push(set(hostsSet(name), [ADDRESS], sized(hostsOf(tunnel).length)));
  }
  return sets;
}

export function sourcesSet(): NftSet {
  return { ...set(SOURCES, [ADDRESS]), ...dynamicFor(SOURCE_TIMEOUT) };
}

export function seenSet(): NftSet {
  return { ...set(SEEN, [ADDRESS]), ...dynamicFor(SOURCE_TIMEOUT) };
}

export function placesSet(): NftSet {
  return { ...set(PLACES, [ADDRESS, PORT]), ...dynamicFor(SOURCE_TIMEOUT) };
}

/** Rules add to it. */
function dynamicFor(defaultTimeout: number) {
  return { timeouts: true, defaultTimeout, dynamic: true, size: MOST_SOURCES } as const;
}

/**
 * A token bucket does not tell what is left in it, so who is above a rate is noted here, for `explain`.
 * In one second a bucket has a token again, whatever the rate.
 */
export function limitedSet(): NftSet {
  return { ...set(LIMITED, [ADDRESS]), ...dynamicFor(LIMITED_TIMEOUT) };
}

const LIMITED_TIMEOUT = 1000;

/** Without a size: it is seldom asked, and one tunnel more shall not mean another set. */
export function tunnelsSet(): NftSet {
  return set(TUNNELS, [INTERFACE]);
}

/** The next power of two, so that a peer more seldom means another set. */
function capacity(elements: number): number {
  let size = 1;
  while (size < elements) size *= 2;
  return size;
}
