/** Token buckets: how many packets may be looked at. */
import type { Limit } from "../../kernel/nftables/expressions/limit.ts";

/** Seconds that a rate may be counted in: a bucket holds whole packets. */
const UNITS = [1, 60, 3600, 86_400];
const LEAST_BURST = 5;

/** `perSecond` may be a fraction. The burst is at least a second's worth. */
export function rateLimit(perSecond: number, over: boolean): Limit {
  const isWhole = (rate: number): boolean => rate >= 1 && Number.isInteger(rate);
  const whole = UNITS.find((unit) => isWhole(round(perSecond * unit)));
  const unit = whole ?? UNITS[UNITS.length - 1] ?? 1;
  return {
    kind: "limit",
    of: "packets",
    rate: Math.max(1, Math.round(perSecond * unit)),
    unit,
    burst: Math.max(LEAST_BURST, Math.ceil(perSecond)),
    over,
  };
}

const KNOWN_RATE = 10;
const KNOWN_BURST = 20;

/**
 * For an endpoint that a peer holds: a bucket of its own, so that no flood of strangers delays a
 * refresh; never smaller than a stranger's.
 */
export function knownLimit(ratePerSource: number): Limit {
  const limit = rateLimit(Math.max(KNOWN_RATE, ratePerSource), false);
  return { ...limit, burst: Math.max(KNOWN_BURST, 2 * limit.burst) };
}

/** Without the noise of binary fractions (0.1 × 60). */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
