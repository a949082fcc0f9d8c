/**
 * Time that has passed unnoticed: a suspended machine, a stopped process, a clock that was set. Whatever a
 * NAT or a server remembered of us may be gone, and a proof may have carried the wrong time. Pure.
 */

/** Both in milliseconds. */
export interface Moment {
  /** CLOCK_REALTIME: goes on while the machine sleeps, and is set by people and NTP. */
  readonly wall: number;
  /** CLOCK_MONOTONIC: neither. Timers go by it. */
  readonly steady: number;
}

/** Less is NTP's own business. */
const JUMP = 2000;
/** A busy machine's timers are late, but not by so much. */
const LATE = 10_000;

/** @param interval Milliseconds after which `now` was to follow `before`. */
export function hasJumped(before: Moment, now: Moment, interval: number): boolean {
  const steady = now.steady - before.steady;
  const wall = now.wall - before.wall;
  return Math.abs(wall - steady) >= JUMP || steady - interval >= LATE;
}

/**
 * How long a proof may run ahead of a clock that was set back. A server takes none that is older than
 * the last, nor one more than five minutes ahead (its default).
 */
const LONGEST_AHEAD = 240_000;

/** The time that the next proof carries, by the wall clock: not before the last one's. */
export function proofTime(last: number | undefined, now: number): number {
  if (last === undefined || last <= now || last - now > LONGEST_AHEAD) return now;
  return last;
}
