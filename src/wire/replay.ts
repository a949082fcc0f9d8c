/**
 * Whether a packet of protocol 1 is new. The packet carries the sender's time in whole seconds and a
 * salt; the receiver keeps a mark per key. Pure: judging gives the next mark, which the caller keeps only
 * once the signature has proved right.
 *
 * - strict: newer than all before it, or of the same second with a salt not seen.
 * - window: packets may overtake one another inside the clock skew; each is taken once.
 * - off: as ipipou 0.1, which looks at no time. What was taken is remembered all the same, for the day when
 *   the policy is another one.
 *
 * Unless the policy is off, a time must lie within the clock skew of our own, **on both sides and with or
 * without a mark**. Ahead: one packet from a clock that runs years fast would lock its key out. Behind:
 * the first packet after a start meets no mark, so a captured one would open the tunnel, and one that was
 * held back on its way would move the tunnel whenever it is let go.
 */

/**
 * What is remembered of one key; plain JSON. Nothing at or before `floor` is taken any more; `seen` holds
 * what was taken after it.
 */
export interface ReplayMark {
  /** Seconds since 1970. */
  readonly floor: number;
  readonly seen: readonly Stamp[];
}

/** A packet's identity under its key. */
export interface Stamp {
  /** Seconds since 1970. */
  readonly time: number;
  readonly salt: string;
}

export interface ReplayRules {
  readonly policy: "strict" | "window" | "off";
  /** Milliseconds. */
  readonly maxClockSkew: number;
}

export type Judgement =
  | { readonly verdict: "fresh"; readonly mark: ReplayMark | undefined }
  | {
      readonly verdict: "ahead" | "behind" | "stale" | "replayed" | "crowded";
      /** For the log: says what is wrong in words that name clocks where clocks are the likely cause. */
      readonly reason: string;
    };

/** Packets remembered within one second; honest clients send one or two. */
const perSecond = 1024;
/** Packets remembered within a window; beyond it the oldest second is closed, but no second that is still filling. */
const perWindow = 2 * perSecond;

/** `now` in milliseconds since 1970. */
export function judge(
  mark: ReplayMark | undefined,
  stamp: Stamp,
  now: number,
  rules: ReplayRules,
): Judgement {
  if (rules.policy === "off") return { verdict: "fresh", mark: noted(mark, stamp, now, rules) };
  const sent = stamp.time * 1000;
  if (sent > now + rules.maxClockSkew) {
    const by = span(sent - now);
    return refuse("ahead", `its clock is ${by} ahead of ours: set the clocks (NTP)`);
  }
  // The time is cut to a whole second, so up to 999 ms of its age are not the clock's.
  if (sent + 999 < now - rules.maxClockSkew) {
    const by = span(now - sent);
    return refuse(
      "behind",
      `it is ${by} old: a clock is wrong (NTP sets clocks), or an old packet was sent again`,
    );
  }
  const before = mark ?? { floor: 0, seen: [] };
  const newest = newestOf(before);
  const oldest = rules.policy === "strict" ? newest : before.floor + 1;
  if (before.seen.some(({ time, salt }) => time === stamp.time && salt === stamp.salt)) {
    return refuse("replayed", "it is a copy of a packet that was taken already");
  }
  if (stamp.time < oldest || stamp.time <= before.floor) {
    return refuse("stale", staleReason(newest, now, rules));
  }
  if (before.seen.filter(({ time }) => time === stamp.time).length >= perSecond) {
    return refuse("crowded", `more than ${perSecond} authentications of one key in one second`);
  }
  return { verdict: "fresh", mark: remember(before, stamp, newest, rules) };
}

function newestOf({ floor, seen }: ReplayMark): number {
  return seen.reduce((most, { time }) => Math.max(most, time), floor);
}

/** The same mark where it is a copy, or too far ahead: that would lock the key out one day. */
function noted(
  mark: ReplayMark | undefined,
  stamp: Stamp,
  now: number,
  rules: ReplayRules,
): ReplayMark | undefined {
  const before = mark ?? { floor: 0, seen: [] };
  const copy = before.seen.some(({ time, salt }) => time === stamp.time && salt === stamp.salt);
  const ahead = stamp.time * 1000 > now + rules.maxClockSkew;
  if (copy || ahead || stamp.time <= before.floor) return mark;
  return remember(before, stamp, newestOf(before), rules);
}

function remember(
  before: ReplayMark,
  stamp: Stamp,
  newest: number,
  rules: ReplayRules,
): ReplayMark {
  const latest = Math.max(newest, stamp.time);
  const reach = rules.policy === "strict" ? 0 : Math.ceil(rules.maxClockSkew / 1000);
  let floor = Math.max(before.floor, latest - reach - 1);
  let seen = [...before.seen, stamp].filter(({ time }) => time > floor);
  while (seen.length > perWindow) {
    floor = seen.reduce((least, { time }) => Math.min(least, time), latest);
    seen = seen.filter(({ time }) => time > floor);
  }
  return { floor, seen };
}

/** What neither of two marks of one key takes any more. */
export function both(one: ReplayMark, other: ReplayMark): ReplayMark {
  const floor = Math.max(one.floor, other.floor);
  const seen = new Map<string, Stamp>();
  for (const stamp of [...one.seen, ...other.seen]) {
    if (stamp.time > floor) seen.set(`${stamp.time} ${stamp.salt}`, stamp);
  }
  return { floor, seen: [...seen.values()] };
}

/** A mark that takes nothing at or before `floor`. */
export function raised(mark: ReplayMark | undefined, floor: number): ReplayMark | undefined {
  if (floor <= (mark?.floor ?? 0)) return mark;
  return { floor, seen: mark?.seen ?? [] };
}

function staleReason(newest: number, now: number, rules: ReplayRules): string {
  if (newest * 1000 > now + rules.maxClockSkew) {
    return "a later packet was taken when our clock was ahead: `ipipoud forget` clears that";
  }
  return "a later packet was taken already: an old one sent again, or a clock that was set back";
}

function refuse(
  verdict: Exclude<Judgement["verdict"], "fresh">,
  reason: string,
): Exclude<Judgement, { verdict: "fresh" }> {
  return { verdict, reason };
}

/** `90 s`, `12 min`, `5 h`, `3 d`, `10 years`: for reading, one unit. */
function span(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  if (seconds < 63_072_000) return `${Math.round(seconds / 86_400)} d`;
  return `${Math.round(seconds / 31_536_000)} years`;
}
