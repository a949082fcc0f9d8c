/**
 * What we write into a store, under a lease: it is kept alive while we are, and ends with us. What is wanted is
 * asked for each time, so whatever has changed is written with the next sign of life.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { inWords } from "./exchange.ts";
import type { StoreFault } from "./fault.ts";
import type { Members } from "./members.ts";
import { encode, isMapping, readRange, strange } from "./messages.ts";

/** By what stands behind the prefix. */
export type Wanted = ReadonlyMap<string, string>;

export interface PublicationOptions {
  readonly members: Members;
  readonly prefix: string;
  /** Milliseconds. */
  readonly lease: number;
  /** Whether others may write this as well: the last news counts, whoever had it. */
  readonly shared: (name: string) => boolean;
  /** May ask what others have written. */
  readonly wanted: (read: (name: string) => Promise<string | undefined>) => Promise<Wanted>;
  /** Something has been written. */
  readonly onWritten: () => void;
  /** undefined: it works again. Not told of what works from the beginning. */
  readonly onTrouble: (reason: string | undefined) => void;
}

/** Signs of life within a lease. */
const BEATS = 3;
/** After what did not work. Milliseconds. */
const PAUSE = 1000;
/** A stop waits no longer for the store. Milliseconds. */
const FAREWELL = 1000;

export class Publication {
  readonly #options: PublicationOptions;
  readonly #end = new AbortController();
  #lease: string | undefined;
  /** What stands there under our lease, or did until somebody had news. */
  readonly #written = new Map<string, string>();
  /** What was written under a lease that has ended: no news. */
  readonly #old = new Map<string, string>();
  #trouble: string | undefined;
  readonly #running: Promise<void>;

  constructor(options: PublicationOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** @param withdraw What we have written goes at once; else when the lease ends. */
  async close(withdraw: boolean): Promise<void> {
    this.#end.abort();
    await this.#running;
    const ID = this.#lease;
    if (!withdraw || ID === undefined) return;
    await this.#options.members
      .ask("lease/revoke", { ID }, AbortSignal.timeout(FAREWELL))
      .catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    const { members, lease, onTrouble } = this.#options;
    /** Members in a row that did not do. */
    let failures = 0;
    while (!signal.aborted) {
      let pause = lease / BEATS;
      try {
        if (!(await this.#beat())) pause = 0;
        failures = 0;
        if (this.#trouble !== undefined) onTrouble(undefined);
        this.#trouble = undefined;
      } catch (error) {
        if (signal.aborted) return;
        members.next();
        failures++;
        pause = failures % members.size === 0 ? PAUSE : 0;
        if (failures >= members.size) this.#complain(inWords(error));
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The first word of a trouble is said, and a no at once. */
  #complain({ kind, message }: StoreFault): void {
    if (this.#trouble === message || (kind === "unreachable" && this.#trouble !== undefined))
      return;
    this.#trouble = message;
    this.#options.onTrouble(message);
  }

  /** Gives whether all is written: of much to write through slow members each beat writes a part. */
  async #beat(): Promise<boolean> {
    const begun = performance.now();
    await this.#keepAlive();
    const { wanted, prefix, members, lease } = this.#options;
    const { signal } = this.#end;
    const now = await wanted(async (name) => await this.#read(name));
    let isNews = false;
    for (const [name, value] of now) {
      if (this.#written.get(name) === value) continue;
      // Before the lease, and all that was written with it, ends.
      if (isNews && performance.now() - begun > lease / BEATS) return false;
      isNews = true;
      await this.#put(name, value);
      this.#written.set(name, value);
    }
    for (const name of this.#written.keys()) {
      if (now.has(name)) continue;
      // By now it may be another's.
      const key = encode(prefix + name);
      const compare = [{ key, target: "LEASE", result: "EQUAL", lease: this.#lease }];
      const success = [{ request_delete_range: { key } }];
      await members.ask("kv/txn", { compare, success }, signal);
      this.#written.delete(name);
    }
    this.#old.clear();
    if (isNews) this.#options.onWritten();
    return true;
  }

  async #put(name: string, value: string): Promise<void> {
    const { members, prefix, shared } = this.#options;
    const { signal } = this.#end;
    const body = { key: encode(prefix + name), value: encode(value), lease: this.#lease };
    if (this.#old.get(name) !== value || !shared(name)) {
      await members.ask("kv/put", body, signal);
      return;
    }
    // Ours ended with its lease; what stands there was written later.
    const { key } = body;
    const compare = [{ key, target: "CREATE", result: "EQUAL", create_revision: "0" }];
    await members.ask("kv/txn", { compare, success: [{ request_put: body }] }, signal);
  }

  async #keepAlive(): Promise<void> {
    const { members, lease } = this.#options;
    const { signal } = this.#end;
    if (this.#lease !== undefined) {
      const { result } = await members.ask("lease/keepalive", { ID: this.#lease }, signal);
      if (isMapping(result) && Number(result["TTL"] ?? 0) > 0) return;
    }
    // It has ended, and with it what we had written.
    this.#lease = undefined;
    for (const [name, value] of this.#written) this.#old.set(name, value);
    this.#written.clear();
    const TTL = String(Math.ceil(lease / 1000));
    const { ID } = await members.ask("lease/grant", { TTL }, signal);
    // More digits than a number has.
    if (typeof ID !== "string" || !/^-?[0-9]{1,20}$/.test(ID)) throw strange("ID");
    this.#lease = ID;
  }

  async #read(name: string): Promise<string | undefined> {
    const { members, prefix } = this.#options;
    const body = { key: encode(prefix + name) };
    const answer = await members.ask("kv/range", body, this.#end.signal);
    return readRange(answer).pairs[0]?.value;
  }
}
