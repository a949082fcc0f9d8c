/** Pure: when a dialled peer is sent its next authentication. Milliseconds. */

/** Longer than what passes until an answer is noticed: the tunnel's counters are read every second. */
const FIRST = 1500;
/** An unanswered peer is asked again this often at the least, where there is no keepalive or somebody waits. */
const LONGEST_UNANSWERED = 25_000;
/** Share of a pause that is left to chance, so that a thousand clients don't ask in step. */
const JITTER = 0.1;

export interface DialState {
  /** Authentications since something last came back. */
  readonly unanswered: number;
  readonly answered: boolean;
  /** 0: never. */
  readonly keepalive: number;
  /** Packets have gone into the tunnel that had no answer. */
  readonly missed: boolean;
}

/** undefined: not by time alone. `chance` lies in [0, 1). */
export function nextPause(state: DialState, chance: number): number | undefined {
  const { unanswered, answered, keepalive, missed } = state;
  if (answered) return keepalive === 0 ? undefined : shorten(keepalive, chance);
  const often = missed || keepalive === 0 ? LONGEST_UNANSWERED : Infinity;
  const longest = Math.min(often, keepalive || Infinity);
  const pause = Math.min(longest, FIRST * 2 ** Math.min(30, Math.max(0, unanswered - 1)));
  return shorten(pause, chance);
}

/** Never longer than asked for: a keepalive is chosen to be just within a NAT's memory. */
function shorten(pause: number, chance: number): number {
  return Math.round(pause * (1 - JITTER * chance));
}
