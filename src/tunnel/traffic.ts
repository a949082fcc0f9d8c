/** How much has passed a tunnel's device; many diallers that ask at once share one look. */
import type { Link } from "../net/objects.ts";
import type { Traffic } from "./dialler.ts";

const NOTHING: Traffic = { received: 0n, sent: 0n };
/** Milliseconds for which an answer is fresh enough. */
const FRESH = 100;

export class TrafficReader {
  readonly #read: () => Promise<ReadonlyMap<string, Link>>;
  #answer: Promise<ReadonlyMap<string, Link>> | undefined;

  /** @param read All links by name. */
  constructor(read: () => Promise<ReadonlyMap<string, Link>>) {
    this.#read = read;
  }

  async of(device: string): Promise<Traffic> {
    if (this.#answer === undefined) {
      this.#answer = this.#read();
      setTimeout(() => {
        this.#answer = undefined;
      }, FRESH).unref();
    }
    const link = (await this.#answer).get(device);
    if (link?.statistics === undefined) return NOTHING;
    return { received: link.statistics.rxPackets, sent: link.statistics.txPackets };
  }
}
