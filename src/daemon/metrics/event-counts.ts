/** How often each kind of event has happened since the process began. */
import { type EventName, type EventSink, eventNames } from "../../tunnel/events.ts";

export class EventCounts {
  readonly #counts = new Map<EventName, number>(eventNames.map((name) => [name, 0]));

  readonly tell: EventSink = ({ event }) => {
    this.#counts.set(event, (this.#counts.get(event) ?? 0) + 1);
  };

  get all(): ReadonlyMap<EventName, number> {
    return this.#counts;
  }
}
