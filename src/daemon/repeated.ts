/**
 * Repetitions, summed up: the first event of a key is logged at once, what follows within an interval
 * becomes one line at its end. A flood of refusals costs a line a minute and key, and at most `maxKeys` keys.
 */
import type { Log, LogFields } from "./log.ts";

export interface RepeatedOptions {
  /** Milliseconds. */
  readonly interval: number;
  /** Keys remembered at a time; what comes on top is summed up together. */
  readonly maxKeys: number;
}

interface Series {
  readonly message: string;
  readonly fields: LogFields;
  again: number;
}

/** The key of all that have no room of their own. */
const crowd = "";

export class Repeated {
  readonly #log: Log;
  readonly #options: RepeatedOptions;
  readonly #series = new Map<string, Series>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, options: RepeatedOptions = { interval: 60_000, maxKeys: 1000 }) {
    this.#log = log;
    this.#options = options;
  }

  /** `key` tells what counts as the same, e.g. tunnel, source address and reason; not empty. */
  warning(key: string, message: string, fields: LogFields = {}): void {
    const known = this.#series.get(key);
    if (known !== undefined) {
      known.again++;
      return;
    }
    if (this.#series.size < this.#options.maxKeys) {
      this.#log.warning(message, fields);
      this.#series.set(key, { message, fields, again: 0 });
    } else {
      const others = this.#series.get(crowd);
      if (others) others.again++;
      else this.#series.set(crowd, { message: "refusals from others", fields: {}, again: 1 });
    }
    this.#timer ??= setTimeout(() => this.flush(), this.#options.interval).unref();
  }

  /** Writes the sums now and begins anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = [...this.#series.values()];
    this.#series.clear();
    for (const { message, fields, again } of ended) {
      if (again > 0) this.#log.warning(message, { ...fields, again });
    }
  }
}
