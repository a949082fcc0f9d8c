/** What happens to tunnels and peers, one value per event: `ipipoud events` and the log show these. */

export const eventNames = [
  "authenticated",
  "roamed",
  "expired",
  "refused",
  "repaired",
  "contested",
  "reloaded",
  "waiting",
  "connecting",
  "unanswered",
  "unresolved",
  "failed",
  "recovered",
  "changed",
] as const;

export type EventName = (typeof eventNames)[number];

export interface TunnelEvent {
  readonly event: EventName;
  readonly tunnel: string | null;
  readonly peer: string | null;
  /** `ADDRESS:PORT` */
  readonly endpoint: string | null;
  /** Words for a person; null where the event says all. */
  readonly reason: string | null;
}

export type EventSink = (event: TunnelEvent) => void;
