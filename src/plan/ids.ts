/**
 * Every tunnel and every peer owns a number of 28 bits: as a class E address (240.0.0.0/4, which Linux
 * routes and nobody uses) it is a placeholder for an endpoint that is not known, and as a u32 the id of
 * the peer's nexthop object. The same configuration always gives the same ids, so that a restarted
 * daemon recognises what it made.
 */
import type { Configuration, PeerConfig } from "../config/model.ts";
import { type IpAddress, ipAddress, type Prefix } from "../net/address.ts";

export const CLASS_E: Prefix = { address: ipAddress("240.0.0.0"), length: 4 };

const FIRST = 1;
/** 255.255.255.255 is the broadcast address; leave it and its neighbour alone. */
const LAST = 0x0fff_fffd;

export interface Ids {
  /** By `tunnel` and `tunnel/peer`. */
  readonly byKey: ReadonlyMap<string, number>;
  /** The same again: a plan asks for each peer several times, and must not make its key for that. */
  readonly byPeer: ReadonlyMap<PeerConfig, number>;
}

/** `tunnel` or `tunnel/peer`, the key of {@link assignIds}' answer and of all that we know of a peer. */
export function peerKey(tunnel: string, peer: string): string {
  return `${tunnel}/${peer}`;
}

export function assignIds(configuration: Configuration): Ids {
  const byKey = new Map<string, number>();
  const byPeer = new Map<PeerConfig, number>();
  const taken = new Set<number>();
  const give = (key: string, proof = ""): number => {
    let id = FIRST + (hash(`${configuration.table} ${key}${proof}`) % (LAST - FIRST));
    while (taken.has(id)) id = id >= LAST ? FIRST : id + 1;
    taken.add(id);
    byKey.set(key, id);
    return id;
  };
  for (const tunnel of configuration.tunnels) {
    give(tunnel.name);
    for (const peer of tunnel.peers) {
      const { name, proof } = peer;
      // Another key is another peer: what the old one had is not taken over. (Secrets stay out of it.)
      const key = proof.kind === "key" ? ` ${Buffer.from(proof.publicKey).toString("hex")}` : "";
      byPeer.set(peer, give(peerKey(tunnel.name, name), key));
    }
  }
  return { byKey, byPeer };
}

export function idOfPeer(ids: Ids, peer: PeerConfig): number {
  const id = ids.byPeer.get(peer);
  if (id === undefined) throw new RangeError(`"${peer.name}" has no id`);
  return id;
}

export function idOf(ids: Ids, key: string): number {
  const id = ids.byKey.get(key);
  if (id === undefined) throw new RangeError(`"${key}" has no id: it is not in the configuration`);
  return id;
}

/** The id as a class E address. */
export function placeholder(id: number): IpAddress {
  return ipAddress(`${240 + (id >>> 24)}.${(id >>> 16) & 255}.${(id >>> 8) & 255}.${id & 255}`);
}

export function isPlaceholder(address: IpAddress): boolean {
  return Number.parseInt(address, 10) >= 240 && !address.includes(":");
}

/** The id as a nexthop object's: out of the way of the small numbers that people write by hand. */
export function nexthopId(id: number): number {
  return (0xf000_0000 | id) >>> 0;
}

/** Whether a nexthop object of this number is some ipipoud's. */
export function isNexthopId(id: number): boolean {
  return id >>> 28 === 0xf;
}

/** FNV-1a, 32 bits: spreads names; nothing depends on its secrecy. */
export function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x0100_0193) >>> 0;
  }
  return value;
}
