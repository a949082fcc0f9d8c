/** Hosts of nodes that are names: each is looked up now, and again from time to time, however many share it. */
import type { IpAddress } from "../../net/address.ts";
import { nextPause } from "../backoff.ts";
import { Budget } from "../budget.ts";

/** Names that can't be resolved are told of, but not ten thousand at once. */
const COMPLAINTS = { most: 10, perSecond: 0.1 };

export interface NamesOptions {
  /** Rejects where it has no address now. */
  readonly resolve: (host: string) => Promise<IpAddress>;
  readonly found: (host: string, address: IpAddress) => void;
  readonly unresolved: (host: string, reason: string) => void;
  /** Milliseconds. */
  readonly interval: number;
}

interface Followed {
  timer: NodeJS.Timeout | undefined;
  /** In a row. */
  failures: number;
}

export class Names {
  readonly #options: NamesOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #complaints: Budget;

  constructor(options: NamesOptions) {
    this.#options = options;
    this.#complaints = new Budget(COMPLAINTS.perSecond, COMPLAINTS.most, performance.now());
  }

  /** These and no others from now on; those that are followed already are not asked for anew. */
  follow(hosts: ReadonlySet<string>): void {
    for (const [host, { timer }] of this.#followed) {
      if (hosts.has(host)) continue;
      clearTimeout(timer);
      this.#followed.delete(host);
    }
    for (const host of hosts) {
      if (this.#followed.has(host)) continue;
      const followed: Followed = { timer: undefined, failures: 0 };
      this.#followed.set(host, followed);
      void this.#ask(host, followed);
    }
  }

  close(): void {
    this.follow(new Set());
  }

  async #ask(host: string, followed: Followed): Promise<void> {
    const { resolve, found, unresolved, interval } = this.#options;
    const isWanted = (): boolean => this.#followed.get(host) === followed;
    try {
      const address = await resolve(host);
      if (!isWanted()) return;
      followed.failures = 0;
      found(host, address);
    } catch (error) {
      if (!isWanted()) return;
      followed.failures++;
      const reason = error instanceof Error ? error.message : String(error);
      const isNews = followed.failures === 1 && this.#complaints.spend(performance.now());
      if (isNews) unresolved(host, reason);
    }
    const state = { unanswered: followed.failures, keepalive: interval, missed: false };
    // Not all of them at one moment.
    const pause = nextPause({ ...state, answered: followed.failures === 0 }, Math.random());
    followed.timer = setTimeout(() => void this.#ask(host, followed), pause);
  }
}
