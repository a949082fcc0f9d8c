/**
 * The one place where it is decided that a peer is somewhere: proofs, resolved names, expiries and what a
 * dead daemon left all come here, and from here go to the kernel and into events.
 */
import { type Endpoint, formatEndpoint, type IpAddress, sameEndpoint } from "../net/address.ts";
import type { ForeignIpip, KnownEndpoint } from "../plan/situation.ts";
import type { EventName, EventSink } from "./events.ts";
import type { Peer, Peers } from "./peers.ts";
import type { Writer } from "./writer.ts";

/** setTimeout's longest, 2^31 - 1 ms: a longer lifetime is slept in pieces. */
const LONGEST_TIMER = 0x7fff_ffff;

export interface TunnelsOptions {
  readonly peers: Peers;
  readonly writer: Writer;
  readonly emit: EventSink;
  /** The outer address of a tunnel's device, or its placeholder. */
  readonly localOf: (peer: Peer) => IpAddress;
  /** Devices of somebody else. */
  readonly foreign: () => readonly ForeignIpip[];
}

export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #expiries = new Map<Peer, NodeJS.Timeout>();

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  /** A fresh proof that this peer is at this endpoint. */
  proven(peer: Peer, endpoint: Endpoint, now = Date.now()): void {
    const from = peer.wanted;
    this.#place(peer, endpoint);
    const { authLifetime } = peer.config;
    peer.lastAuthentication = now;
    peer.expired = false;
    this.#expireAfter(peer, authLifetime === 0 ? undefined : authLifetime, now);
    if (!sameEndpoint(from, endpoint)) {
      this.#options.writer.touch(peer);
      if (from === undefined) this.#emit("authenticated", peer, endpoint, null);
      else this.#emit("roamed", peer, endpoint, `from ${formatEndpoint(from)}`);
    } else if (authLifetime !== 0) {
      this.#options.writer.touch(peer);
    }
  }

  /** Where a dialled or static peer is, as its name resolves now. */
  resolved(peer: Peer, endpoint: Endpoint): void {
    const from = peer.wanted;
    if (sameEndpoint(from, endpoint)) return;
    this.#place(peer, endpoint);
    peer.answered = false;
    this.#options.writer.touch(peer);
    const reason = from === undefined ? null : `from ${formatEndpoint(from)}`;
    if (peer.config.role === "dial") this.#emit("connecting", peer, endpoint, reason);
  }

  /** What a dead daemon left in the kernel and we take over. */
  adopt(
    peer: Peer,
    { endpoint, remaining, translated }: Omit<KnownEndpoint, "second">,
    now = Date.now(),
  ): void {
    this.#place(peer, endpoint, translated);
    const { authLifetime } = peer.config;
    // The lifetime may be another one by now; then the configuration's word counts.
    const left = authLifetime === 0 ? undefined : Math.min(remaining ?? authLifetime, authLifetime);
    peer.applied = endpoint;
    peer.appliedStanding = peer.standing;
    this.#expireAfter(peer, left, now);
  }

  /** The peer must prove itself anew. */
  forget(peer: Peer): void {
    this.#expireAfter(peer, undefined, 0);
    this.#release(peer);
    peer.mark = undefined;
    peer.expired = false;
    peer.lastAuthentication = undefined;
    this.#options.writer.touch(peer);
  }

  /** It is no peer any more. */
  leave(peer: Peer): void {
    this.#expireAfter(peer, undefined, 0);
    this.#release(peer);
  }

  /** Stops all timers. */
  close(): void {
    for (const timer of this.#expiries.values()) clearTimeout(timer);
    this.#expiries.clear();
  }

  #place(peer: Peer, endpoint: Endpoint, stays = false): void {
    const { peers, localOf, foreign, writer } = this.#options;
    const local = localOf(peer);
    const { changed, displaced } = peers.move(peer, local, endpoint, foreign(), stays);
    for (const other of changed) writer.touch(other);
    for (const other of displaced) {
      this.#expireAfter(other, undefined, 0);
      other.expired = true;
      writer.touch(other);
      this.#emit("expired", other, endpoint, `${peer.key} has proven itself from there`);
    }
  }

  #release(peer: Peer): void {
    const { peers, writer } = this.#options;
    for (const other of peers.release(peer)) writer.touch(other);
  }

  #expireAfter(peer: Peer, lifetime: number | undefined, now: number): void {
    clearTimeout(this.#expiries.get(peer));
    this.#expiries.delete(peer);
    peer.expires = lifetime === undefined ? undefined : now + lifetime;
    peer.deadline = lifetime === undefined ? undefined : performance.now() + lifetime;
    if (lifetime !== undefined) this.#sleep(peer, lifetime);
  }

  /** Counts by the monotonic clock, as the kernel's timeouts do. */
  #sleep(peer: Peer, left: number): void {
    const piece = Math.min(left, LONGEST_TIMER);
    const timer = setTimeout(() => {
      if (left > piece) this.#sleep(peer, left - piece);
      else this.#expire(peer);
    }, piece);
    this.#expiries.set(peer, timer);
  }

  #expire(peer: Peer): void {
    this.#expiries.delete(peer);
    peer.deadline = undefined;
    const endpoint = peer.wanted;
    if (endpoint === undefined) return;
    this.#release(peer);
    peer.expired = true;
    this.#options.writer.touch(peer);
    this.#emit("expired", peer, endpoint, "its last proof is older than authLifetime");
  }

  #emit(event: EventName, peer: Peer, endpoint: Endpoint, reason: string | null): void {
    this.#options.emit({
      event,
      tunnel: peer.tunnel.name,
      peer: peer.config.name,
      endpoint: formatEndpoint(endpoint),
      reason,
    });
  }
}
