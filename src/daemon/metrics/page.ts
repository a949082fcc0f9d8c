/** Metrics: what is counted all the time (events), and a page of everything when somebody asks. */
import { readdirSync } from "node:fs";
import type { Page } from "./endpoint.ts";
import { contentType, expose } from "./exposition.ts";
import type { Measurement } from "./measurement.ts";
import { type ProcessFacts, samplesOf } from "./samples.ts";

export interface SourceOptions {
  /** Throws a {@link Failure} while it can't be. */
  readonly measure: (mostPeers: number) => Promise<Measurement>;
  readonly facts: () => Pick<ProcessFacts, "version" | "events" | "lastReload">;
}

/** Peers up to which each has series of its own: a page of some 4 MB, a tenth of a second's work. */
export const MOST_PEERS = 10_000;

/** Milliseconds for which a page is good enough: who asks in a loop gets no more of our time. */
const FRESH = 1000;

/** Gives the same page to all who ask while it is made, and within a moment after that. */
export function pageSource(options: SourceOptions): () => Promise<Page> {
  let page: Promise<Page> | undefined;
  const forget = (): void => {
    page = undefined;
  };
  return () => {
    if (page === undefined) {
      page = make(options);
      // What failed may be asked again at once.
      page.then(() => setTimeout(forget, FRESH).unref(), forget);
    }
    return page;
  };
}

async function make({ measure, facts }: SourceOptions): Promise<Page> {
  const measurement = await measure(MOST_PEERS);
  const { user, system } = process.cpuUsage();
  const content = await expose(
    samplesOf(measurement, {
      ...facts(),
      node: process.version,
      cpu: (user + system) / 1e6,
      residentMemory: process.memoryUsage.rss(),
      startTime: performance.timeOrigin / 1000,
      openFiles: readdirSync("/proc/self/fd").length,
    }),
  );
  return { type: contentType, content };
}
