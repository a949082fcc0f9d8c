/**
 * Repairs that have to be made again and again: another manager wants it otherwise, and whoever repairs
 * faster does not win. They become rarer, so that neither of the two keeps the host busy. Pure.
 */

/** So many of one object within so long are no accident. */
const OFTEN = 5;
const WINDOW = 60_000;

/** Between two repairs: at first, doubled with each, and at last. Milliseconds. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** Objects of one repair that are remembered: a flushed ruleset has any number of them. */
const MOST_AT_ONCE = 16;
/** Objects that are remembered at all. */
const MOST = 256;

export class Contests {
  /** When each was repaired of late, by what it was in words. */
  readonly #repairs = new Map<string, number[]>();
  readonly #contested = new Set<string>();
  #pause = 0;
  #last = 0;

  /**
   * These have been repaired at this time. Gives what is contested from now on, where that is news.
   *
   * @param now Milliseconds, monotonic.
   */
  repaired(words: readonly string[], now: number): string | undefined {
    this.#end(now);
    let news: string | undefined;
    let again = false;
    for (const word of words.slice(0, MOST_AT_ONCE)) {
      const times = [...(this.#repairs.get(word) ?? []), now]
        .filter((time) => now - time < WINDOW)
        .slice(-OFTEN);
      this.#repairs.delete(word);
      if (this.#repairs.size < MOST) this.#repairs.set(word, times);
      if (this.#contested.has(word)) again = true;
      else if (times.length >= OFTEN) {
        this.#contested.add(word);
        news ??= word;
      }
    }
    if (again || news !== undefined) {
      this.#pause = Math.min(LONGEST_PAUSE, this.#pause === 0 ? FIRST_PAUSE : this.#pause * 2);
      this.#last = now;
    }
    return news;
  }

  /** How long the next repair of what others have changed is to wait. */
  wait(now: number): number {
    this.#end(now);
    return this.#pause === 0 ? 0 : Math.max(0, this.#last + this.#pause - now);
  }

  /** The other one has given up, or has been taught. */
  #end(now: number): void {
    if (this.#pause === 0 || now - this.#last < WINDOW + this.#pause) {
      this.#forget(now);
      return;
    }
    this.#pause = 0;
    this.#contested.clear();
    this.#repairs.clear();
  }

  #forget(now: number): void {
    if (this.#repairs.size < MOST) return;
    for (const [word, times] of this.#repairs) {
      if (times.every((time) => now - time >= WINDOW)) this.#repairs.delete(word);
    }
  }
}
