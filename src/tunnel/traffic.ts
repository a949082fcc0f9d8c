/**
 * Liveness from the traffic itself: packets go in and for some seconds none comes out. The other side
 * may have forgotten us, or a NAT on the way has; both are mended by another authentication. Pure.
 *
 * What is silent by nature must cost little: the last acknowledgement of a connection has no answer, nor
 * has a stream of log messages. So a single burst is no reason, and whoever suspects the same silence
 * backs off. A stream that is answered every five seconds is heard from again and again: suspicions are
 * rationed, ten at once and three a minute.
 */

/** Packets that have passed a tunnel's device so far. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

export interface Listening {
  readonly last: Sample;
  /** When the first packet that has had no answer may have been sent; undefined: all is answered, or quiet. */
  readonly since: number | undefined;
  /** Looks since then that saw something sent, and the last of them. */
  readonly bursts: number;
  readonly burstAt: number;
  /** How often it may be suspected now. */
  readonly ration: number;
}

interface Sample extends Traffic {
  /** Milliseconds of a clock that never jumps. */
  readonly at: number;
}

/**
 * news: something came out. silent: something should have. quiet: neither. Only a first look, or a device
 * that counts from 0 again, is "first".
 */
export type Heard = "first" | "news" | "quiet" | "silent";

/** Milliseconds of silence. */
const PATIENCE = 3000;
/** In so many looks something was sent: what goes on, not what has just ended. */
const BURSTS = 2;
/** Milliseconds between two that belong together; TCP asks again after 1, 2, 4 and 8 seconds. */
const TOGETHER = 10_000;
const MOST_SUSPICIONS = 10;
/** Milliseconds after which there may be one more. */
const RATIONED = 20_000;

const NOTHING_SENT = { since: undefined, bursts: 0, burstAt: 0 } as const;

export function listen(
  before: Listening | undefined,
  traffic: Traffic,
  at: number,
): { readonly listening: Listening; readonly heard: Heard } {
  const last = { ...traffic, at };
  const was = before?.last;
  if (before === undefined || was === undefined) {
    return result("first", { last, ...NOTHING_SENT, ration: MOST_SUSPICIONS });
  }
  const ration = Math.min(MOST_SUSPICIONS, before.ration + (at - was.at) / RATIONED);
  if (isAnew(was, traffic)) return result("first", { last, ...NOTHING_SENT, ration });
  if (traffic.received > was.received) return result("news", { last, ...NOTHING_SENT, ration });
  const sent = traffic.sent > was.sent;
  const goesOn = before.since !== undefined && at - before.burstAt <= TOGETHER;
  const since = sent && !goesOn ? was.at : before.since;
  const bursts = sent ? (goesOn ? before.bursts + 1 : 1) : before.bursts;
  const burstAt = sent ? at : before.burstAt;
  const isLong = since !== undefined && bursts >= BURSTS && at - since >= PATIENCE;
  return isLong && ration >= 1
    ? result("silent", { last, ...NOTHING_SENT, ration: ration - 1 })
    : result("quiet", { last, since, bursts, burstAt, ration });
}

function isAnew(before: Traffic, now: Traffic): boolean {
  return now.sent < before.sent || now.received < before.received;
}

function result(heard: Heard, listening: Listening) {
  return { heard, listening };
}
