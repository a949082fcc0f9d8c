/** Events for whoever listens, as `ipipoud events` shows them. */
import type { EventSink, TunnelEvent } from "../tunnel/events.ts";

/** A line of `events --json`. */
export interface TimedEvent extends TunnelEvent {
  /** RFC 3339. */
  readonly time: string;
}

export class Broadcast {
  readonly #listeners = new Set<(event: TimedEvent) => void>();

  readonly tell: EventSink = ({ event, tunnel, peer, endpoint, reason }) => {
    if (this.#listeners.size === 0) return;
    const time = new Date().toISOString();
    for (const listener of this.#listeners)
      listener({ time, event, tunnel, peer, endpoint, reason });
  };

  /** Gives what ends it. */
  subscribe(listener: (event: TimedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
