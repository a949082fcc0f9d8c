/** Waiting for conditions, never for time: the guest's CPU is emulated and takes what it takes. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** Milliseconds; generous, because only a failure ever waits so long. */
  readonly timeout?: number;
  readonly interval?: number;
  /** Said when it never came true. */
  readonly what?: string;
}

/**
 * Calls until the function neither throws nor gives false or undefined, and gives what it gave.
 * After the time limit the last error, or one that says what was waited for.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  patience: Patience = {},
): Promise<Exclude<T, false | undefined>> {
  const { timeout = 30_000, interval = 150, what = attempt.toString() } = patience;
  const end = Date.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const value = await attempt();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) {
      throw new Error(`not within ${timeout} ms: ${what}`, { cause: last });
    }
    await sleep(interval);
  }
}
