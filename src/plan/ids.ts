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
  /** By name. */
  readonly byTunnel: ReadonlyMap<string, number>;
  readonly byPeer: ReadonlyMap<PeerConfig, PeerId>;
}

export interface PeerId {
  readonly id: number;
  /** Its {@link peerKey}: a plan asks for it several times, and must not make it each time. */
  readonly key: string;
}

/** `tunnel` or `tunnel/peer`, the key of {@link assignIds}' answer and of all that we know of a peer. */
export function peerKey(tunnel: string, peer: string): string {
  return `${tunnel}/${peer}`;
}

export function assignIds(configuration: Configuration): Ids {
  const byTunnel = new Map<string, number>();
  const byPeer = new Map<PeerConfig, PeerId>();
  const taken = new Set<number>();
  const start = hash(`${configuration.table} `);
  const give = (hashed: number): number => {
    let id = FIRST + (hashed % (LAST - FIRST));
    while (taken.has(id)) id = id >= LAST ? FIRST : id + 1;
    taken.add(id);
    return id;
  };
  for (const tunnel of configuration.tunnels) {
    byTunnel.set(tunnel.name, give(hash(tunnel.name, start)));
    for (const peer of tunnel.peers) {
      const { name, proof } = peer;
      const key = peerKey(tunnel.name, name);
      const hashed = hash(key, start);
      // Another key is another peer: what the old one had is not taken over. (Secrets stay out of it.)
      const id =
        proof.kind === "key"
          ? give(hash(` ${Buffer.from(proof.publicKey).toString("hex")}`, hashed))
          : give(hashed);
      byPeer.set(peer, { id, key });
    }
  }
  return { byTunnel, byPeer };
}

export function idOfPeer(ids: Ids, peer: PeerConfig): number {
  return peerIdOf(ids, peer).id;
}

/** Its {@link peerKey}. */
export function keyOfPeer(ids: Ids, peer: PeerConfig): string {
  return peerIdOf(ids, peer).key;
}

function peerIdOf(ids: Ids, peer: PeerConfig): PeerId {
  const id = ids.byPeer.get(peer);
  if (id === undefined) throw new RangeError(`"${peer.name}" has no id`);
  return id;
}

export function idOf(ids: Ids, tunnel: string): number {
  const id = ids.byTunnel.get(tunnel);
  if (id === undefined)
    throw new RangeError(`"${tunnel}" has no id: it is not in the configuration`);
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

/**
 * FNV-1a, 32 bits: spreads names; nothing depends on its secrecy.
 *
 * @param start The hash of what stands before.
 */
export function hash(text: string, start = 0x811c_9dc5): number {
  let value = start;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x0100_0193);
  }
  return value >>> 0;
}
