/**
 * A prefix of a store, followed: what stands there, then each change. Whenever a member goes, the next one is
 * asked to go on where that one ended; what is not kept any more is read anew as a whole. Nothing is told
 * between the two, so that nobody sees a fleet come and go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { mostNodes } from "../../../config/hosts.ts";
import type { DirectoryListener } from "../source.ts";
import { Entries } from "./entries.ts";
import { inWords } from "./exchange.ts";
import { type FaultKind, printable, StoreFault } from "./fault.ts";
import type { Members } from "./members.ts";
import { encode, type Header, rangeOf, readRange, readWatch } from "./messages.ts";

/** Entries at a time. */
const PAGE = 1000;
/** Characters of all keys and values together. */
const MOST_TEXT = 64 << 20;
/** Changes that come together are told together. Milliseconds. */
const SETTLING = 50;
/** Between two rounds of all members: soon, as a change is to arrive as soon as they are back. Milliseconds. */
const SHORTEST = 250;
const LONGEST = 1500;
/** The same where the cluster says no: that takes a person. */
const LONGEST_REFUSED = 15_000;
/** An election is no trouble yet. Milliseconds. */
const DOUBT = 3000;
/** A cluster may be another one after this, restored from a copy that has moved on since. Milliseconds. */
const RESUMABLE = 60_000;
/** For a change to come that a check has seen. Milliseconds. */
const LATE = 2000;

export interface FollowingOptions {
  readonly members: Members;
  readonly prefix: string;
  readonly listener: DirectoryListener;
  /** How often it is looked whether the watch tells all. Milliseconds. */
  readonly interval: number;
}

interface Known {
  readonly cluster: string;
  /** Of the last change. */
  revision: number;
  readonly entries: Entries;
}

export class Following {
  readonly #options: FollowingOptions;
  readonly #end = new AbortController();
  /** Of the member that is watched. */
  #session: AbortController | undefined;
  #known: Known | undefined;
  /** What it said last, for entries that make no sense when all is read anew. */
  #last: Entries | undefined;
  /** By performance.now(); when the last watch ended. */
  #lost = 0;
  #telling: NodeJS.Timeout | undefined;
  #troubled: { readonly since: number; said: string | undefined } | undefined;
  #checking: NodeJS.Timeout | undefined;

  constructor(options: FollowingOptions) {
    this.#options = options;
    void this.#run();
  }

  close(): void {
    this.#end.abort();
    this.#session?.abort();
    clearTimeout(this.#telling);
    clearTimeout(this.#checking);
  }

  get #closed(): boolean {
    return this.#end.signal.aborted;
  }

  async #run(): Promise<void> {
    const { members } = this.#options;
    /** Members in a row that did not do. */
    let failures = 0;
    /** Watches in a row that ended soon after they had begun. */
    let brief = 0;
    while (!this.#closed) {
      const begun = performance.now();
      this.#session = new AbortController();
      let fault: StoreFault;
      let watched = false;
      try {
        await this.#watch(this.#session, () => {
          watched = true;
        });
        fault = new StoreFault("unreachable", "it has ended the watch");
      } catch (error) {
        fault = inWords(error);
      }
      this.#session.abort();
      clearTimeout(this.#checking);
      if (this.#closed) return;
      if (watched) {
        this.#lost = performance.now();
        this.#troubled = undefined;
        failures = 0;
        brief = this.#lost - begun < DOUBT ? brief + 1 : 0;
      }
      failures++;
      members.next();
      this.#complain(fault, failures);
      // Members that all end each watch at once are not to be asked without a pause.
      const rounds = Math.max(
        failures % members.size === 0 ? failures / members.size : 0,
        watched ? Math.floor(brief / members.size) : 0,
      );
      if (rounds > 0) await this.#sleep(rounds, fault.kind);
    }
  }

  async #watch(session: AbortController, done: () => void): Promise<void> {
    const { members, prefix } = this.#options;
    const { signal } = session;
    if (performance.now() - this.#lost > RESUMABLE) this.#forget();
    const known = this.#known ?? (await this.#read(signal));
    const create_request = {
      ...rangeOf(prefix),
      start_revision: String(known.revision + 1),
      progress_notify: true,
    };
    await members.follow("watch", { create_request }, signal, (answer) => {
      if (this.#closed) return;
      const message = readWatch(answer);
      switch (message.kind) {
        case "created":
          this.#demandSame(known, message.header);
          this.#known = known;
          done();
          // Not here: what goes wrong there is no fault of the store.
          this.#telling ??= setTimeout(() => this.#tell(), 0);
          this.#checkLater(session);
          return;
        case "progress":
          known.revision = Math.max(known.revision, message.header.revision);
          return;
        case "changes":
          for (const change of message.changes) {
            known.entries.take(change);
            known.revision = Math.max(known.revision, change.revision);
          }
          this.#telling ??= setTimeout(() => this.#tell(), SETTLING);
          return;
        case "compacted":
          this.#forget();
          throw new StoreFault("unreachable", "it has forgotten where we were");
        case "canceled":
          throw new StoreFault(
            "unreachable",
            `it has ended the watch (${printable(message.reason)})`,
          );
      }
    });
  }

  /** All of it as it was at one moment. */
  async #read(signal: AbortSignal): Promise<Known> {
    const { members, prefix } = this.#options;
    const { key: first, range_end } = rangeOf(prefix);
    const entries = new Entries(prefix);
    const all: { key: string; value: string; revision: number }[] = [];
    let key = first;
    let header: Header | undefined;
    let size = 0;
    for (;;) {
      const at = header === undefined ? {} : { revision: String(header.revision) };
      const body = { key, range_end, limit: String(PAGE), ...at };
      const page = readRange(await members.ask("kv/range", body, signal));
      header ??= page.header;
      for (const pair of page.pairs) {
        size += pair.key.length + pair.value.length;
        all.push(pair);
      }
      // Pages without end are noticed before there is no memory left.
      if (all.length > mostNodes || size > MOST_TEXT) {
        throw new StoreFault("refused", `more than ${mostNodes} entries or ${MOST_TEXT >> 20} MiB`);
      }
      const last = page.pairs.at(-1);
      if (!page.more || last === undefined) break;
      key = encode(`${last.key}\0`);
    }
    // As if each change had come when it was made.
    all.sort((a, b) => a.revision - b.revision);
    for (const pair of all) entries.take(pair, this.#last);
    return { ...header, entries };
  }

  #forget(): void {
    this.#last = this.#known?.entries ?? this.#last;
    this.#known = undefined;
  }

  /** A member that lags behind is no sign of another cluster, but can't show that it is none. */
  #demandSame(known: Header, { cluster, revision }: Header): void {
    if (cluster === known.cluster && revision >= known.revision) return;
    this.#forget();
    throw new StoreFault("unreachable", "it lags behind, or is another cluster");
  }

  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const entries = this.#known?.entries;
    if (entries !== undefined) this.#options.listener.nodes(entries.nodes(), entries.faults());
  }

  #complain({ kind, message }: StoreFault, failures: number): void {
    const { members, listener } = this.#options;
    const now = performance.now();
    this.#troubled ??= { since: now, said: undefined };
    if (failures < members.size) return;
    if (kind === "unreachable" && now - this.#troubled.since < DOUBT) return;
    const of =
      members.size === 1 ? "it can't be used" : `none of its ${members.size} members can be used`;
    // One trouble has many words while members go one by one: the first are said.
    if (kind === "unreachable") this.#troubled.said ??= `${of} (${message})`;
    else this.#troubled.said = message;
    listener.trouble(this.#troubled.said);
  }

  async #sleep(round: number, kind: FaultKind): Promise<void> {
    const most = kind === "refused" ? LONGEST_REFUSED : LONGEST;
    const longest = Math.min(most, SHORTEST * 2 ** Math.min(30, round - 1));
    // Not all who were at one member at one moment.
    const pause = longest * (1 - Math.random() / 2);
    await sleep(pause, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }

  #checkLater(session: AbortController): void {
    clearTimeout(this.#checking);
    this.#checking = setTimeout(() => void this.#check(session), this.#options.interval);
  }

  /** A member that hangs keeps a watch open and says nothing: another one tells whether there is news. */
  async #check(session: AbortController): Promise<void> {
    try {
      if (await this.#misses(session.signal)) {
        await sleep(LATE, undefined, { signal: session.signal });
        if (await this.#misses(session.signal)) {
          this.#forget();
          session.abort();
          return;
        }
      }
    } catch {
      // Whoever can't be asked now shows nothing.
    }
    if (!session.signal.aborted) this.#checkLater(session);
  }

  async #misses(signal: AbortSignal): Promise<boolean> {
    const known = this.#known;
    if (known === undefined || signal.aborted) return false;
    const { members, prefix } = this.#options;
    const range = rangeOf(prefix);
    const newer = {
      ...range,
      limit: "1",
      keys_only: true,
      min_mod_revision: String(known.revision + 1),
    };
    const { pairs } = readRange(await members.ask("kv/range", newer, signal, members.other));
    if (pairs.length > 0) return true;
    const all = { ...range, count_only: true };
    const { count } = readRange(await members.ask("kv/range", all, signal, members.other));
    return count !== known.entries.size;
  }
}
