/** A hosts file from a web server, asked for now and then. */
import { Complaint } from "../../config/complaint.ts";
import { largestHosts, readHosts } from "../../config/hosts.ts";
import type { Nodes } from "../../config/model.ts";
import { nextPause } from "../backoff.ts";
import { type Fetched, type FetchOptions, fetchText, type Validators } from "./fetch.ts";
import { wordsOf } from "./file.ts";
import type { DirectoryListener, DirectorySource } from "./source.ts";

/** For everything, redirects included. Milliseconds. */
const LONGEST_FETCH = 30_000;
const SHORTEST_FETCH = 5000;

export interface UrlSourceOptions {
  readonly url: string;
  readonly caFile: string | undefined;
  /** Milliseconds. */
  readonly interval: number;
  readonly fetch?: (options: FetchOptions) => Promise<Fetched>;
}

export class UrlSource implements DirectorySource {
  readonly name: string;
  readonly #options: UrlSourceOptions;

  constructor(options: UrlSourceOptions) {
    this.#options = options;
    // A password or a key may stand before the host and behind the path.
    const { origin, pathname } = new URL(options.url);
    this.name = origin + pathname;
  }

  follow(listener: DirectoryListener): () => void {
    const { url, caFile, interval, fetch = fetchText } = this.#options;
    const timeout = Math.min(LONGEST_FETCH, Math.max(SHORTEST_FETCH, interval));
    let closed = false;
    let timer: NodeJS.Timeout | undefined;
    let last: { readonly nodes: Nodes; readonly validators: Validators } | undefined;
    /** In a row. */
    let failures = 0;
    const ask = async (): Promise<void> => {
      let trouble: string | undefined;
      try {
        const known = last?.validators;
        const fetched = await fetch({ url, caFile, timeout, largest: largestHosts, known });
        const nodes = fetched.kind === "same" ? last?.nodes : readHosts(fetched.text);
        if (nodes instanceof Complaint) trouble = wordsOf(nodes);
        else if (nodes !== undefined && fetched.kind === "text") {
          last = { nodes, validators: fetched.validators };
        }
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
      }
      if (closed) return;
      failures = trouble === undefined ? 0 : failures + 1;
      if (trouble !== undefined) listener.trouble(trouble);
      else if (last !== undefined) listener.nodes(last.nodes);
      const state = { unanswered: failures, answered: failures === 0, keepalive: interval };
      // After a failure sooner, but not all that share a server at one moment.
      timer = setTimeout(() => void ask(), nextPause({ ...state, missed: false }, Math.random()));
    };
    void ask();
    return () => {
      closed = true;
      clearTimeout(timer);
    };
  }
}
