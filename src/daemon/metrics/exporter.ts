/**
 * Where metrics can be asked for, as the configuration has it by now. A place that can't be taken is no reason
 * to go without tunnels (it may even be an address inside one that is still to come): the log says so, and
 * it is tried again.
 */
import { type Endpoint, formatEndpoint, sameEndpoint } from "../../net/address.ts";
import type { Log } from "../log.ts";
import type { MetricsServer } from "./endpoint.ts";
import type { SourceOptions } from "./page.ts";

export interface ExporterOptions {
  readonly source: SourceOptions;
  readonly log: Log;
  /** Milliseconds until a place that was taken is tried again. */
  readonly again?: number;
}

export class Exporter {
  readonly #options: ExporterOptions;
  #wanted: Endpoint | undefined;
  #server: MetricsServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What was complained about last. */
  #trouble: string | undefined;
  /** One change at a time. */
  #line: Promise<void> = Promise.resolve();

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** Where it answers now. */
  get at(): Endpoint | undefined {
    return this.#server?.at;
  }

  /**
   * Moves there; undefined: nowhere. Gives what has changed, in words, when that is done or has failed for now;
   * never rejects.
   */
  follow(wanted: Endpoint | undefined): Promise<readonly string[]> {
    const moved = this.#line.then(() => this.#move(wanted));
    this.#line = moved.then(() => undefined);
    return moved;
  }

  async close(): Promise<void> {
    await this.follow(undefined);
  }

  async #move(wanted: Endpoint | undefined): Promise<readonly string[]> {
    const former = this.#wanted;
    if (sameEndpoint(wanted, former)) return [];
    clearTimeout(this.#timer);
    this.#wanted = wanted;
    this.#trouble = undefined;
    // First: the new place may be the same port of other addresses.
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
    await this.#open();
    const gone = former === undefined ? [] : [`remove metrics at ${pageOf(former)}`];
    return wanted === undefined ? gone : [...gone, `add metrics at ${pageOf(wanted)}`];
  }

  async #open(): Promise<void> {
    const { source, log, again = 10_000 } = this.#options;
    const at = this.#wanted;
    if (at === undefined) return;
    const onError = (error: unknown): void =>
      log.error("metrics failed", { error: error instanceof Error ? error.stack : String(error) });
    const where = pageOf(at);
    try {
      // Only who wants metrics loads their library.
      const { pageSource } = await import("./page.ts");
      const { serveMetrics } = await import("./endpoint.ts");
      const page = pageSource(source);
      this.#server = await serveMetrics({ at, page, onError });
      if (this.#trouble === undefined) log.debug(`metrics at ${where}`);
      else log.info(`metrics at ${where}, at last`);
    } catch (error) {
      const reason = words((error as NodeJS.ErrnoException).code);
      if (reason !== this.#trouble) log.warning(`no metrics at ${where}`, { reason });
      this.#trouble = reason;
      const retry = (): Promise<void> => (this.#wanted === at ? this.#open() : Promise.resolve());
      this.#timer = setTimeout(() => {
        this.#line = this.#line.then(retry);
      }, again);
    }
  }
}

const pageOf = (at: Endpoint): string => `http://${formatEndpoint(at)}/metrics`;

function words(code: string | undefined): string {
  switch (code) {
    case "EADDRINUSE":
      return "something else holds the port (`ss -ltnp`): stop it, or set another in `metrics.listen`; trying again";
    case "EADDRNOTAVAIL":
      return "no device has this address yet; trying again";
    case "EACCES":
      return "ports below 1024 want a privilege that it has not: set one above in `metrics.listen`";
    default:
      return `${code}; trying again`;
  }
}
