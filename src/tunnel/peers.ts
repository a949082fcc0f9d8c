/**
 * What the daemon remembers of each peer while it runs. The kernel holds the same where it matters for
 * packets; `wanted` is what should be there, `applied` what was last put there.
 */
import type { Configuration, PeerConfig, TunnelConfig } from "../config/model.ts";
import type { Endpoint, IpAddress } from "../net/address.ts";
import { peerKey } from "../plan/ids.ts";
import type { KnownEndpoint } from "../plan/situation.ts";
import type { ReplayMark } from "../wire/replay.ts";

export interface Peer {
  /** `tunnel/peer` */
  readonly key: string;
  readonly tunnel: TunnelConfig;
  readonly config: PeerConfig;
  wanted: Endpoint | undefined;
  applied: Endpoint | undefined;
  /** When the proof ends, by performance.now() as the kernel's timeouts; undefined: without end. */
  deadline: number | undefined;
  /** Milliseconds since 1970. */
  lastAuthentication: number | undefined;
  /** Milliseconds since 1970; undefined: without end, or not proven. */
  expires: number | undefined;
  expired: boolean;
  mark: ReplayMark | undefined;
  /** Dialled: traffic came back since the endpoint was set. */
  answered: boolean;
}

export type PeerState = "waiting" | "connecting" | "authenticated" | "expired" | "static";

/** All peers, by key, by who holds which (outer local, outer remote) pair. */
export class Peers {
  readonly #byKey = new Map<string, Peer>();
  readonly #holders = new Map<string, Peer>();

  constructor(configuration: Configuration) {
    for (const tunnel of configuration.tunnels) {
      for (const config of tunnel.peers) {
        const key = peerKey(tunnel.name, config.name);
        this.#byKey.set(key, {
          key,
          tunnel,
          config,
          wanted: undefined,
          applied: undefined,
          deadline: undefined,
          lastAuthentication: undefined,
          expires: undefined,
          expired: false,
          mark: undefined,
          answered: false,
        });
      }
    }
  }

  all(): Iterable<Peer> {
    return this.#byKey.values();
  }

  get(key: string): Peer | undefined {
    return this.#byKey.get(key);
  }

  /** Who has this pair now; the kernel can give it to one only. */
  holder(local: IpAddress, remote: IpAddress): Peer | undefined {
    return this.#holders.get(pair(local, remote));
  }

  /** Moves a peer to an endpoint; the pair must be free or its own. */
  move(peer: Peer, local: IpAddress, endpoint: Endpoint): void {
    this.release(peer, local);
    peer.wanted = endpoint;
    this.#holders.set(pair(local, endpoint.address), peer);
  }

  /**
   * Outer local addresses have changed: who holds which pair is reckoned anew. Where two have come to one
   * pair, the later one in the configuration loses its endpoint and has to be placed again.
   */
  rehome(localOf: (peer: Peer) => IpAddress): void {
    this.#holders.clear();
    for (const peer of this.#byKey.values()) {
      if (peer.wanted === undefined) continue;
      const key = pair(localOf(peer), peer.wanted.address);
      if (this.#holders.has(key)) peer.wanted = undefined;
      else this.#holders.set(key, peer);
    }
  }

  release(peer: Peer, local: IpAddress): void {
    if (peer.wanted === undefined) return;
    const key = pair(local, peer.wanted.address);
    if (this.#holders.get(key) === peer) this.#holders.delete(key);
    peer.wanted = undefined;
  }
}

/** In the planner's terms. */
export function knownEndpoint(
  { deadline }: Peer,
  endpoint: Endpoint | undefined,
): KnownEndpoint | undefined {
  if (endpoint === undefined) return undefined;
  const remaining = deadline === undefined ? undefined : Math.max(1, deadline - performance.now());
  return { endpoint, remaining };
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

function pair(local: IpAddress, remote: IpAddress): string {
  return `${local}|${remote}`;
}
