/** What metrics are made of, as an instance knows it at one moment. */
import { type Peer, type PeerState, peerStates, stateOf } from "../../tunnel/peers.ts";
import type { Status, TunnelStatus } from "../../tunnel/status.ts";

export interface Measurement {
  readonly tunnels: readonly TunnelMeasurement[];
  readonly queue: Status["queue"];
}

/** `peers` is empty where there are too many to tell of each. */
export interface TunnelMeasurement extends TunnelStatus {
  /** How many peers are in each state. */
  readonly states: Readonly<Record<PeerState, number>>;
}

export function countStates(peers: Iterable<Peer>): Record<PeerState, number> {
  const counts = Object.fromEntries(peerStates.map((state) => [state, 0])) as Record<
    PeerState,
    number
  >;
  for (const peer of peers) counts[stateOf(peer)]++;
  return counts;
}
