/** Events of tunnels as log lines: one line each, repetitions of strangers summed up. */
import type { EventName, TunnelEvent } from "../tunnel/events.ts";
import type { Log, LogFields } from "./log.ts";
import { Repeated } from "./repeated.ts";

const WARNINGS: ReadonlySet<EventName> = new Set([
  "unanswered",
  "unresolved",
  "failed",
  "contested",
]);

export class Narrator {
  readonly #log: Log;
  readonly #repeated: Repeated;

  constructor(log: Log) {
    this.#log = log;
    this.#repeated = new Repeated(log);
  }

  tell({ event, tunnel, peer, endpoint, reason }: TunnelEvent): void {
    const fields: LogFields = {
      tunnel,
      peer,
      endpoint: endpoint ?? undefined,
      reason: reason ?? undefined,
    };
    if (event === "refused") {
      // By address, not port: whoever is refused comes again from another one.
      const address = endpoint?.replace(/:[0-9]+$/, "");
      this.#repeated.warning(`${tunnel} ${address} ${reason}`, event, fields);
    } else if (WARNINGS.has(event)) this.#log.warning(event, fields);
    else this.#log.info(event, fields);
  }

  close(): void {
    this.#repeated.flush();
  }
}
