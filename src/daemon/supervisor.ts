/**
 * The instance that runs, and its replacement by one of another configuration. A reload is a restart within
 * the process: the successor takes over what stands in the kernel, as after a crash, and what the
 * predecessor remembered; only what differs is written, and established tunnels carry on.
 */
import type { Configuration } from "../config/model.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { EventSink } from "../tunnel/events.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Taken } from "./belongings.ts";
import type { Instance } from "./instance.ts";

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
  /** What was written to the kernel, in words. */
  readonly changes: readonly string[];
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  #configuration: Configuration;
  #current: Instance;
  #running: Promise<Reloaded> | undefined;
  #next: Promise<Reloaded> | undefined;
  /** Set while a reload waits to be confirmed. */
  #fallback: { readonly configuration: Configuration; readonly timer: NodeJS.Timeout } | undefined;
  #stopped = false;

  constructor(configuration: Configuration, options: SupervisorOptions) {
    this.#options = options;
    this.#configuration = configuration;
    this.#current = options.make(configuration, undefined);
  }

  get current(): Instance {
    return this.#current;
  }

  async start(): Promise<void> {
    await this.#current.start();
  }

  /**
   * Reads the configuration anew and brings the kernel to it. Rejects where that can't be; everything is
   * then as it was. With `confirmWithin` (milliseconds) it goes back by itself unless {@link confirm} comes.
   */
  async reload(confirmWithin?: number): Promise<Reloaded> {
    const before = this.#fallback?.configuration ?? this.#configuration;
    const reloaded = await this.#queued(() => this.#switchTo(this.#options.load()));
    this.confirm();
    if (confirmWithin !== undefined) {
      const timer = setTimeout(() => this.#goBack(before, confirmWithin), confirmWithin);
      this.#fallback = { configuration: before, timer };
    }
    return reloaded;
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
    await this.#running?.catch(() => undefined);
    await this.#current.stop(this.#configuration.onStop === "remove");
  }

  /** One at a time; whoever asks meanwhile shares one more, which reads the files when its turn comes. */
  #queued(work: () => Promise<Reloaded>): Promise<Reloaded> {
    if (this.#running === undefined) {
      this.#running = work().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#queued(work);
      });
    return this.#next;
  }

  async #switchTo(next: Configuration): Promise<Reloaded> {
    if (this.#stopped) throw new Failure(exitCode.runtime, "it is stopping");
    if (!this.#current.started) {
      throw new Failure(exitCode.runtime, "it is still starting", "ask again");
    }
    const { make, take, emit } = this.#options;
    const former = this.#configuration;
    const taken = await take(next, former);
    const moves = next.table !== former.table;
    let changes: readonly string[];
    try {
      const successor = make(next, this.#current.peers);
      // What can be refused by looking is refused while all still runs.
      if (!moves) await successor.rehearse();
      // Another table means another sign of ownership on everything: nothing can be taken over.
      await this.#current.stop(moves);
      try {
        changes = await successor.start();
      } catch (error) {
        // The kernel is as it was before the successor came: whoever made it takes it over again.
        await this.#resume(former);
        throw error;
      }
      this.#current = successor;
      this.#configuration = next;
    } catch (error) {
      await taken.abandon();
      throw error;
    }
    taken.commit();
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

  #goBack(configuration: Configuration, after: number): void {
    this.#fallback = undefined;
    const { emit } = this.#options;
    const note = (reason: string): void =>
      emit({ event: "failed", tunnel: null, peer: null, endpoint: null, reason });
    note(`not confirmed within ${after / 1000} s: going back to the configuration before`);
    this.#queued(() => this.#switchTo(configuration)).catch((error: unknown) =>
      note(error instanceof Error ? error.message : String(error)),
    );
  }
}
