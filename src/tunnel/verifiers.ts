/**
 * Who may have how many signatures verified: one costs 100 µs, on a slow machine much more, and junk from
 * strangers as many as there are keys. So that no flood takes what others need:
 *
 * - The one or two keys that are most likely at an endpoint have a budget of their own.
 * - Whoever is there for the first time shares one with all of that kind, which a flood from forged sources is.
 * - Whoever comes back has a share, and goes on in the list of keys where it ended the last time: its packets are
 *   all one key's, so that a few of them get through the whole list.
 */
import { type Endpoint, formatEndpoint } from "../net/address.ts";
import { Budget } from "./budget.ts";
import type { Allowance } from "./door.ts";

/** Verifications a second, where one takes as long as it does on most machines; fewer where it takes longer. */
const FOR_LIKELY = 5000;
const FOR_RETURNING = 2000;
const FOR_EACH = 1000;
const FOR_NEW = 500;
const FOR_EXPLANATIONS = 250;
/** Seconds' worth of each that may be used at once. */
const BURST = 4;
/** Milliseconds of CPU. */
const USUAL = 0.1;
/**
 * How much one measurement counts. It is of the whole process, so what else runs makes it too large, and nothing
 * makes it too small.
 */
const WEIGHT_OF_MORE = 1 / 16;
const WEIGHT_OF_LESS = 1 / 2;
/** Times what is known, that one measurement may say: the first compiles what it runs. */
const UNUSUAL = 8;
/** Packets a second of which it is said why they are refused. */
const EXPLAINED = 2;
/** Endpoints that are remembered; with as many a second as the kernel lets through, for some seconds. */
const MOST = 4096;

interface Returning {
  readonly budget: Budget;
  next: number;
}

export class Verifiers {
  readonly #returning = new Map<string, Returning>();
  readonly #likely: Budget;
  readonly #all: Budget;
  readonly #new: Budget;
  readonly #explained: Budget;
  readonly #explaining: Budget;
  readonly #cpu: () => number;
  /** Milliseconds of CPU of one verification, as measured. */
  #cost = USUAL;

  /** @param cpu Milliseconds that the process has used. */
  constructor(now: number, cpu: () => number = usedByProcess) {
    this.#cpu = cpu;
    this.#likely = share(FOR_LIKELY, now);
    this.#all = share(FOR_RETURNING, now);
    this.#new = share(FOR_NEW, now);
    this.#explained = new Budget(EXPLAINED, EXPLAINED, now);
    this.#explaining = share(FOR_EXPLANATIONS, now);
  }

  /** For one packet. */
  allowanceFor(source: Endpoint, now: number): Allowance {
    const place = formatEndpoint(source);
    const before = this.#returning.get(place);
    const entry = before ?? { budget: share(FOR_EACH, now), next: 0 };
    // Last in the order of forgetting.
    this.#returning.delete(place);
    this.#returning.set(place, entry);
    if (this.#returning.size > MOST) {
      for (const oldest of this.#returning.keys()) {
        this.#returning.delete(oldest);
        break;
      }
    }
    const price = (): number => Math.max(1, this.#cost / USUAL);
    return {
      start: entry.next,
      stopped: (at) => {
        entry.next = at;
      },
      measured: (verify) => this.#measured(verify),
      likely: () => this.#likely.spend(now, price()),
      verification: () =>
        before === undefined
          ? this.#new.spend(now, price())
          : entry.budget.spend(now, price()) && this.#all.spend(now, price()),
      explanation: () => this.#explained.spend(now),
      explaining: () => this.#explaining.spend(now, price()),
    };
  }

  /** Runs what verifies, and sees how long that takes. */
  #measured<T>(verify: () => T): T {
    const before = this.#cpu();
    try {
      return verify();
    } finally {
      const took = Math.min(this.#cpu() - before, UNUSUAL * this.#cost);
      const weight = took < this.#cost ? WEIGHT_OF_LESS : WEIGHT_OF_MORE;
      this.#cost += weight * (took - this.#cost);
    }
  }
}

function share(perSecond: number, now: number): Budget {
  return new Budget(perSecond, BURST * perSecond, now);
}

function usedByProcess(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
