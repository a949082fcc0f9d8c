/** A ping at short intervals that tells which sequence numbers never came back. */
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

export interface PingResult {
  /** Highest sequence number that came back. */
  readonly last: number;
  readonly received: number;
  /** Sequence numbers below the last that never came back. */
  readonly lost: readonly number[];
}

export class Pinger {
  readonly #program: Program;

  /** Starts at once. */
  constructor(host: Host, address: string, options: { interval?: number; args?: string[] } = {}) {
    const { interval = 0.05, args = [] } = options;
    this.#program = host.start("ping", ["-n", "-i", String(interval), ...args, address]);
  }

  /** Sequence numbers that came back so far. */
  get sequences(): number[] {
    return this.#program.stdout.flatMap((line) => {
      const sequence = /icmp_seq=(\d+) ttl=/.exec(line)?.[1];
      return sequence === undefined ? [] : [Number(sequence)];
    });
  }

  /** Waits until so many more replies have come than now. */
  async moreReplies(count = 1, timeout = 60_000): Promise<void> {
    const before = this.sequences.length;
    await eventually(() => this.sequences.length >= before + count, {
      timeout,
      what: `${count} more ping replies; it said:\n${this.#program.lines.slice(-5).join("\n")}`,
    });
  }

  /**
   * Ends it. With `settle` (the default) first waits for two more replies, so that what was under way
   * is not taken for lost; without, for a path that is known to be dead.
   */
  async stop({ settle = true } = {}): Promise<PingResult> {
    if (settle) await this.moreReplies(2);
    await this.#program.stop("SIGINT");
    const got = new Set(this.sequences);
    const last = Math.max(0, ...got);
    const lost: number[] = [];
    for (let sequence = 1; sequence < last; sequence++) {
      if (!got.has(sequence)) lost.push(sequence);
    }
    return { last, received: got.size, lost };
  }
}
