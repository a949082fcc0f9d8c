/**
 * The instance that runs, and its replacement by one of another configuration. A reload is a restart within
 * the process: the successor takes over what stands in the kernel, as after a crash, and what the
 * predecessor remembered; only what differs is written, and established tunnels carry on.
 */
import type { Configuration } from "../config/model.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { EventSink } from "../tunnel/events.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Instance } from "./instance.ts";

/** What a reload has taken so far that lies outside an instance. */
export interface Taken {
  /** It stays. Gives what has changed beside the kernel, in words. */
  commit(): Promise<readonly string[]>;
  abandon(): Promise<void>;
}

export interface SupervisorOptions {
  /** Reads the files; throws for what is wrong in them. */
  readonly load: () => Configuration;
  /** Not started yet. */
  readonly make: (configuration: Configuration, former: Peers | undefined) => Instance;
  /** Takes what lies outside an instance. */
  readonly take: (next: Configuration, current: Configuration) => Promise<Taken>;
  readonly emit: EventSink;
  /** Neither the next configuration nor the former one can run: the end of the process. */
  readonly fatal: (error: unknown) => void;
}

export interface Reloaded {
  /** What was written to the kernel, and what has changed beside it, in words. */
  readonly changes: readonly string[];
}

export interface LastReload {
  readonly successful: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A way back that failed is tried again: whoever asked for it may have no other way in. Milliseconds. */
const AGAIN = 10_000;

/** A reload's way back, as long as nobody has confirmed it. */
interface Fallback {
  readonly configuration: Configuration;
  readonly timer: NodeJS.Timeout;
}

interface Wish {
  confirmWithin: number | undefined;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  #configuration: Configuration;
  #current: Instance;
  /** What exchanges or ends the instance, one after the other; undefined: nothing does. */
  #line: Promise<void> | undefined;
  /** A reload whose turn is still to come. */
  #asked: { readonly wish: Wish; readonly turn: Promise<Reloaded> } | undefined;
  #fallback: Fallback | undefined;
  #stopped = false;
  #lastReload: LastReload | undefined;

  constructor(configuration: Configuration, options: SupervisorOptions) {
    this.#options = options;
    this.#configuration = configuration;
    this.#current = options.make(configuration, undefined);
  }

  get current(): Instance {
    return this.#current;
  }

  /** How the last one ended; undefined: there was none. */
  get lastReload(): LastReload | undefined {
    return this.#lastReload;
  }

  async start(): Promise<void> {
    await this.#current.start();
  }

  /** What is asked of the instance that runs, or of the one that a reload under way leaves. */
  async ask<T>(question: (instance: Instance) => T): Promise<Awaited<T>> {
    await this.#line;
    return await question(this.#current);
  }

  /**
   * Reads the configuration anew and brings the kernel to it. Rejects where that can't be; everything is
   * then as it was. With `confirmWithin` (milliseconds) it goes back by itself unless {@link confirm} comes.
   *
   * Whoever asks while another reload is under way shares one more, which reads the files when its turn comes.
   */
  reload(confirmWithin?: number): Promise<Reloaded> {
    if (this.#asked !== undefined) {
      this.#asked.wish.confirmWithin = confirmWithin ?? this.#asked.wish.confirmWithin;
      return this.#asked.turn;
    }
    const wish: Wish = { confirmWithin };
    const waits = this.#line !== undefined;
    const turn = this.#inTurn(async () => {
      this.#asked = undefined;
      let successful = false;
      try {
        const reloaded = await this.#carryOut(wish);
        successful = true;
        return reloaded;
      } finally {
        this.#lastReload = { successful, at: Date.now() };
      }
    });
    if (waits) this.#asked = { wish, turn };
    return turn;
  }

  /** What was reloaded stays. False: nothing waits for it. */
  confirm(): boolean {
    if (this.#fallback === undefined) return false;
    clearTimeout(this.#fallback.timer);
    this.#fallback = undefined;
    return true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.confirm();
    await this.#inTurn(() => this.#current.stop(this.#configuration.onStop === "remove"));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#line === undefined ? work() : this.#line.then(work);
    const done = (): void => {
      if (this.#line === line) this.#line = undefined;
    };
    const line = turn.then(done, done);
    this.#line = line;
    return turn;
  }

  async #carryOut({ confirmWithin }: Wish): Promise<Reloaded> {
    const former = this.#configuration;
    const reloaded = await this.#switchTo(() => this.#options.load());
    const before = this.#fallback?.configuration ?? former;
    this.confirm();
    if (confirmWithin !== undefined) this.#goBackAfter(confirmWithin, confirmWithin, before);
    return reloaded;
  }

  async #switchTo(load: () => Configuration): Promise<Reloaded> {
    if (this.#stopped) throw new Failure(exitCode.runtime, "it is stopping");
    if (!this.#current.started) {
      throw new Failure(exitCode.runtime, "it is still starting", "ask again");
    }
    const { make, take, emit } = this.#options;
    const next = load();
    const former = this.#configuration;
    const taken = await take(next, former);
    const moves = next.table !== former.table;
    let changes: readonly string[];
    try {
      const successor = make(next, this.#current.peers);
      // What can be refused by looking is refused while all still runs.
      if (!moves) await successor.rehearse();
      try {
        // Another table means another sign of ownership on everything: nothing can be taken over.
        await this.#current.stop(moves);
        changes = (await successor.start())();
      } catch (error) {
        // What the successor changed it has undone: whoever ran before takes over what stands.
        await this.#resume(former);
        throw error;
      }
      this.#current = successor;
      this.#configuration = next;
    } catch (error) {
      await taken.abandon();
      throw error;
    }
    changes = [...changes, ...(await taken.commit())];
    const count = changes.length === 1 ? "1 change" : `${changes.length} changes`;
    emit({ event: "reloaded", tunnel: null, peer: null, endpoint: null, reason: count });
    return { changes };
  }

  async #resume(configuration: Configuration): Promise<void> {
    const again = this.#options.make(configuration, this.#current.peers);
    try {
      await again.start();
      this.#current = again;
    } catch (error) {
      this.#options.fatal(error);
    }
  }

  #goBackAfter(delay: number, confirmWithin: number, configuration: Configuration): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      // Where a confirmation or another reload comes first, this is no longer what waits.
      const goBack = async (): Promise<void> => {
        if (this.#fallback === fallback) await this.#goBack(fallback, confirmWithin);
      };
      void this.#inTurn(goBack);
    }, delay);
    const fallback: Fallback = { configuration, timer };
    this.#fallback = fallback;
  }

  /** Never rejects. */
  async #goBack({ configuration }: Fallback, confirmWithin: number): Promise<void> {
    this.#fallback = undefined;
    const { emit } = this.#options;
    const note = (reason: string): void =>
      emit({ event: "failed", tunnel: null, peer: null, endpoint: null, reason });
    const seconds = confirmWithin / 1000;
    note(`not confirmed within ${seconds} s: going back to the configuration before`);
    try {
      await this.#switchTo(() => configuration);
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
      this.#goBackAfter(AGAIN, confirmWithin, configuration);
    }
  }
}
