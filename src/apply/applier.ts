/** What those who decide need of whoever writes to the kernel. */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import type { KnownEndpoint, Situation } from "../plan/situation.ts";

/** One peer whose endpoint moves, or whose proof is renewed. */
export interface Move {
  readonly tunnel: TunnelConfig;
  readonly peer: PeerConfig;
  readonly before: KnownEndpoint | undefined;
  readonly after: KnownEndpoint | undefined;
}

export interface Applier {
  /**
   * Brings everything that is ours to what the situation asks for; gives what it changed, in words. A
   * device that someone has taken down stays down, and what needs it up waits.
   */
  reconcile(situation: Situation): Promise<readonly string[]>;
  /** Changes only what these peers' endpoints decide. */
  move(moves: readonly Move[], situation: Situation): Promise<void>;
}
