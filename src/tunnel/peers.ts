/**
 * What the daemon remembers of each peer while it runs. The kernel holds the same where it matters for
 * packets; `wanted` is what should be there, `applied` what was last put there.
 */
import type { Configuration, PeerConfig, TunnelConfig } from "../config/model.ts";
import type { Endpoint, IpAddress } from "../net/address.ts";
import { assignIds, keyOfPeer, peerKey } from "../plan/ids.ts";
import { claimOf, Places } from "../plan/places.ts";
import type { ForeignIpip, KnownEndpoint } from "../plan/situation.ts";
import { ALONE, type Standing } from "../plan/standing.ts";
import type { ReplayMark } from "../wire/replay.ts";

export interface Peer {
  /** `tunnel/peer` */
  readonly key: string;
  /** Another value when the tunnel's directory has changed. */
  tunnel: TunnelConfig;
  readonly config: PeerConfig;
  wanted: Endpoint | undefined;
  /** How it is laid there: others may be behind the same address. */
  standing: Standing;
  applied: Endpoint | undefined;
  appliedStanding: Standing;
  /** When the proof ends, by performance.now() as the kernel's timeouts; undefined: without end. */
  deadline: number | undefined;
  /** Milliseconds since 1970. */
  lastAuthentication: number | undefined;
  /** The address that its last proof came from, if only before a restart. */
  seenAt: IpAddress | undefined;
  /** Milliseconds since 1970; undefined: without end, or not proven. */
  expires: number | undefined;
  expired: boolean;
  mark: ReplayMark | undefined;
  /** Dialled: traffic came back since the endpoint was set. */
  answered: boolean;
}

export const peerStates = ["waiting", "connecting", "authenticated", "expired", "static"] as const;

export type PeerState = (typeof peerStates)[number];

/** What of others follows from where one peer goes. */
export interface Consequences {
  /** They stand differently now, at the endpoints that they had. */
  readonly changed: readonly Peer[];
  /** They have lost their endpoint: another has proven itself from it, and the gate can't tell the two. */
  readonly displaced: readonly Peer[];
}

/** All peers, by key, and who stands where. */
export class Peers {
  readonly #byKey = new Map<string, Peer>();
  readonly #places = new Places();

  constructor(configuration: Configuration, ids = assignIds(configuration)) {
    for (const tunnel of configuration.tunnels) {
      for (const config of tunnel.peers) this.#add(tunnel, config, keyOfPeer(ids, config));
    }
  }

  /** Whose configuration is not in `next` any more, by key; they are still there. */
  leavers(before: TunnelConfig, next: TunnelConfig): Peer[] {
    const stay = new Set(next.peers);
    return before.peers.flatMap((config) => {
      if (stay.has(config)) return [];
      return this.#byKey.get(peerKey(before.name, config.name)) ?? [];
    });
  }

  /** The tunnel's peers are these now. Those that left have no endpoint any more. */
  exchange(before: TunnelConfig, next: TunnelConfig): void {
    for (const { key } of this.leavers(before, next)) this.#byKey.delete(key);
    for (const config of next.peers) {
      const there = this.#byKey.get(peerKey(next.name, config.name));
      if (there !== undefined) there.tunnel = next;
      else this.#add(next, config, peerKey(next.name, config.name));
    }
  }

  #add(tunnel: TunnelConfig, config: PeerConfig, key: string): void {
    this.#byKey.set(key, {
      key,
      tunnel,
      config,
      wanted: undefined,
      standing: ALONE,
      applied: undefined,
      appliedStanding: ALONE,
      deadline: undefined,
      lastAuthentication: undefined,
      seenAt: undefined,
      expires: undefined,
      expired: false,
      mark: undefined,
      answered: false,
    });
  }

  all(): Iterable<Peer> {
    return this.#byKey.values();
  }

  get(key: string): Peer | undefined {
    return this.#byKey.get(key);
  }

  /** Who stands at this endpoint. @param local The outer address of their tunnels' devices. */
  at(local: IpAddress, endpoint: Endpoint): readonly Peer[] {
    return this.#places.at(local, endpoint).flatMap((key) => this.#byKey.get(key) ?? []);
  }

  /**
   * @param local The outer address of its tunnel's device.
   * @param foreign Devices of somebody else.
   * @param stays It stands there, translated, already.
   */
  move(
    peer: Peer,
    local: IpAddress,
    endpoint: Endpoint,
    foreign: readonly ForeignIpip[],
    stays = false,
  ): Consequences {
    const { key, tunnel, config } = peer;
    const of = { tunnel, peer: config, key, local, endpoint, stays };
    const { standing, changed, displaced } = this.#places.take(claimOf(of, foreign));
    peer.wanted = endpoint;
    peer.standing = standing;
    const lost = displaced.flatMap((other) => this.#byKey.get(other) ?? []);
    for (const one of lost) one.wanted = undefined;
    return { changed: this.#restanding(changed), displaced: lost };
  }

  /** Gives the others that stand differently now. */
  release(peer: Peer): readonly Peer[] {
    peer.wanted = undefined;
    return this.#restanding(this.#places.leave(peer.key));
  }

  /** Outer local addresses or others' devices have changed: who stands where is reckoned anew. */
  rehome(localOf: (peer: Peer) => IpAddress, foreign: readonly ForeignIpip[]): void {
    const placed = [...this.#byKey.values()].filter(({ wanted }) => wanted !== undefined);
    this.#places.clear();
    // Who had a place to itself keeps it, if it can.
    const ordered = [
      ...placed.filter((peer) => !peer.standing.translated),
      ...placed.filter((peer) => peer.standing.translated),
    ];
    for (const peer of ordered) {
      const { wanted, standing } = peer;
      if (wanted !== undefined)
        this.move(peer, localOf(peer), wanted, foreign, standing.translated);
    }
  }

  #restanding(keys: readonly string[]): readonly Peer[] {
    return keys.flatMap((key) => {
      const peer = this.#byKey.get(key);
      const standing = this.#places.standing(key);
      if (peer === undefined || standing === undefined) return [];
      peer.standing = standing;
      return [peer];
    });
  }
}

/** In the planner's terms: where it should be, or what was last put there. */
export function knownEndpoint(
  peer: Peer,
  which: "wanted" | "applied" = "wanted",
): KnownEndpoint | undefined {
  const endpoint = peer[which];
  if (endpoint === undefined) return undefined;
  const { deadline } = peer;
  const remaining = deadline === undefined ? undefined : Math.max(1, deadline - performance.now());
  return {
    endpoint,
    remaining,
    ...(which === "wanted" ? peer.standing : peer.appliedStanding),
  };
}

export function stateOf(peer: Peer): PeerState {
  switch (peer.config.role) {
    case "static":
      return "static";
    case "dial":
      // Nothing is proven either way: it is simply there.
      if (peer.config.identity.kind === "none" && peer.wanted !== undefined) return "static";
      return peer.wanted !== undefined && peer.answered ? "authenticated" : "connecting";
    case "wait":
      if (peer.wanted !== undefined) return "authenticated";
      return peer.expired ? "expired" : "waiting";
  }
}
