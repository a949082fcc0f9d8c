/**
 * Carries decisions into the kernel, one batch at a time. While one is under way, others gather: each
 * peer is written as it is wanted when its turn comes, so a flood of roams costs no backlog.
 */
import type { Applier } from "../apply/applier.ts";
import type { Situation } from "../plan/situation.ts";
import { Contests } from "./contests.ts";
import type { EventName, EventSink } from "./events.ts";
import { fewOf } from "./few.ts";
import { knownEndpoint, type Peer, type Peers } from "./peers.ts";

/** After a failed write: the first pause, doubled each time up to the longest. Milliseconds. */
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;

/** So many false alarms in a row may echo one damage and its repair; what is real waits for none of them. */
const ECHOES = 8;
/** After more the next comparison waits, by so many times what the last one took. */
const REST = 9;
/** Milliseconds after which one is not in a row with the one before. */
const A_WHILE = 60_000;

/** Why everything is compared, where nothing better is known. */
const AFTER_FAILURE = "after a failed write";

export class Writer {
  readonly #applier: Applier;
  readonly #peers: Peers;
  readonly #situation: () => Situation;
  readonly #emit: EventSink;
  readonly #dirty = new Set<Peer>();
  #whole: { readonly reason: string | undefined } | undefined;
  #running: Promise<void> | undefined;
  #pause = 0;
  /** How soon a repair tries again what was refused: like the pause, as a repair may be our own doing. */
  #haste = FIRST_PAUSE;
  /** What the last failure said; the same again is no news. */
  #complaint: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryAt = 0;
  #begun = false;
  #closed = false;
  /** Whoever waits for what is decided now to be written. */
  #waiting: (() => void)[] = [];
  /** By tunnel. */
  #exchanges = new Map<string, () => void>();
  #writes = 0;
  /** Of the whole that is written now. */
  #reason: string | undefined;
  readonly #contests = new Contests();
  /** A repair that waits, because somebody undoes each or there was nothing to repair. */
  #later: NodeJS.Timeout | undefined;
  /** Until then, as there was nothing to repair. */
  #restUntil = 0;
  #falseAlarms = 0;
  #confirmedAt = Number.NEGATIVE_INFINITY;

  constructor(applier: Applier, peers: Peers, situation: () => Situation, emit: EventSink) {
    this.#applier = applier;
    this.#peers = peers;
    this.#situation = situation;
    this.#emit = emit;
  }

  /** The first state stands: from now on what is wanted is written. Until then it gathers. */
  begin(): void {
    this.#begun = true;
    this.#start();
  }

  /** This peer's endpoint, or the time its proof lasts, is to be written. */
  touch(peer: Peer): void {
    this.#dirty.add(peer);
    this.#start();
  }

  /** Grows at the beginning and at the end of each write: odd while one is under way. */
  get writes(): number {
    return this.#writes;
  }

  /** When the last comparison of everything began that found all as it should be (performance.now). */
  get confirmedAt(): number {
    return this.#confirmedAt;
  }

  /**
   * Somebody has changed what is ours: as reconcile(), but not at once where that has become a fight, or where the
   * last ones turned out to be false alarms.
   */
  repair(reason: string): void {
    if (this.#closed || this.#later !== undefined) return;
    const now = performance.now();
    const wait = Math.max(this.#contests.wait(now), this.#restUntil - now, 0);
    if (wait === 0) {
      // Whatever else can't be written now: this may be written.
      this.#hasten();
      this.reconcile(reason);
    } else {
      this.#later = setTimeout(() => {
        this.#later = undefined;
        this.reconcile(reason);
      }, wait);
      this.#later.unref();
    }
  }

  /**
   * Everything is to be compared with the kernel. If anything differs there is an event with this reason;
   * without one it is our own wish that has changed, and no news.
   */
  reconcile(reason: string | undefined): void {
    const known = this.#whole?.reason;
    if (known === undefined || (known === AFTER_FAILURE && reason !== undefined)) {
      this.#whole = { reason };
    }
    this.#start();
  }

  /**
   * Before the next whole is written this is done, while nothing else is under way: who the peers are is not
   * to change beneath a write. Of several for one tunnel the last is done: those of a large directory that
   * changes faster than it can be written would fill the memory.
   */
  exchange(tunnel: string, work: () => void): void {
    this.#exchanges.set(tunnel, work);
    this.reconcile(undefined);
  }

  /**
   * Resolves when what is decided by now has been written, or has failed to be: not later decisions, as
   * under load there is always one more.
   */
  async settled(): Promise<void> {
    if (this.#running === undefined) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** No write starts after this; resolves when the one under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#later);
    await this.#running;
  }

  #start(): void {
    if (!this.#begun || this.#closed) return;
    if (this.#running !== undefined || !this.#isDue()) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      for (const resolve of this.#waiting.splice(0)) resolve();
      // What was touched after the last look and before this found a writer at work.
      this.#start();
    });
  }

  /** Between two tries of the whole, single peers are still written: one broken tunnel is one tunnel. */
  #isDue(): boolean {
    return this.#isWholeDue() || this.#dirty.size > 0;
  }

  #isWholeDue(): boolean {
    return this.#whole !== undefined && this.#retry === undefined;
  }

  async #drain(): Promise<void> {
    // Everything that happens in one turn of the event loop goes out together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (!this.#closed && this.#isDue()) {
      const waiting = this.#waiting.splice(0);
      this.#writes++;
      try {
        if (this.#isWholeDue()) await this.#writeAll();
        else await this.#writeDirty();
      } catch (error) {
        this.#failed(error);
      } finally {
        this.#writes++;
        this.#reason = undefined;
        for (const resolve of waiting) resolve();
      }
    }
  }

  async #writeAll(): Promise<void> {
    const reason = this.#whole?.reason;
    this.#reason = reason;
    this.#whole = undefined;
    const exchanges = this.#exchanges;
    this.#exchanges = new Map();
    for (const work of exchanges.values()) work();
    this.#dirty.clear();
    const written = noted(this.#peers.all());
    const began = performance.now();
    const repaired = await this.#applier.reconcile(this.#situation());
    const took = performance.now() - began;
    written();
    this.#pause = 0;
    this.#haste = FIRST_PAUSE;
    this.#complaint = undefined;
    if (repaired.length > 0) this.#falseAlarms = 0;
    else {
      if (began - this.#confirmedAt > A_WHILE) this.#falseAlarms = 0;
      this.#confirmedAt = began;
      if (reason !== undefined && ++this.#falseAlarms > ECHOES) {
        this.#restUntil = performance.now() + Math.min(LONGEST_PAUSE, REST * took);
      }
    }
    if (repaired.length > 0 && reason !== undefined) {
      this.#tell("repaired", `${reason}: ${fewOf(repaired)}`);
      const contested = this.#contests.repaired(repaired, performance.now());
      if (contested !== undefined) {
        const words = `${contested}: again and again; last: ${reason}`;
        this.#tell("contested", `${words}; repairing less and less often until that ends`);
      }
    }
  }

  #tell(event: EventName, reason: string): void {
    this.#emit({ event, tunnel: null, peer: null, endpoint: null, reason });
  }

  async #writeDirty(): Promise<void> {
    const peers = [...this.#dirty];
    this.#dirty.clear();
    const written = noted(peers);
    const moves = peers.map((peer) => ({
      tunnel: peer.tunnel,
      peer: peer.config,
      before: knownEndpoint(peer, "applied"),
      after: knownEndpoint(peer),
    }));
    await this.#applier.move(moves, this.#situation());
    written();
  }

  #failed(error: unknown): void {
    // What stands in the kernel now is not known: the next try compares everything.
    this.#whole = { reason: this.#reason ?? AFTER_FAILURE };
    const reason = error instanceof Error ? error.message : String(error);
    if (reason !== this.#complaint) {
      this.#tell("failed", `${reason}; trying again until it works`);
    }
    this.#complaint = reason;
    if (this.#retry !== undefined) return;
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause === 0 ? FIRST_PAUSE : this.#pause * 2);
    this.#retryAfter(this.#pause);
  }

  #retryAfter(pause: number): void {
    this.#retryAt = performance.now() + pause;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#start();
    }, pause);
  }

  /** Something is different now, so that the next try may work: it comes sooner, but not again and again. */
  #hasten(): void {
    if (this.#retry === undefined || this.#retryAt - performance.now() <= this.#haste) return;
    clearTimeout(this.#retry);
    this.#retryAfter(this.#haste);
    this.#haste = Math.min(LONGEST_PAUSE, this.#haste * 2);
  }
}

/** What is wanted now; to be called when it stands in the kernel, whatever is wanted by then. */
export function noted(peers: Iterable<Peer>): () => void {
  const all = [...peers].map((peer) => ({ peer, wanted: peer.wanted, standing: peer.standing }));
  return () => {
    for (const { peer, wanted, standing } of all) {
      peer.applied = wanted;
      peer.appliedStanding = standing;
    }
  };
}
