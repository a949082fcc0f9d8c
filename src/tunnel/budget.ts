/** A token bucket: so many a second, so many at once. Milliseconds come from the caller. */
export class Budget {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, most: number, now: number) {
    this.#perSecond = perSecond;
    this.#most = most;
    this.#left = most;
    this.#at = now;
  }

  /** Whether so much may be spent now; if so, it is. */
  spend(now: number, price = 1): boolean {
    const elapsed = Math.max(0, now - this.#at);
    this.#left = Math.min(this.#most, this.#left + (elapsed * this.#perSecond) / 1000);
    this.#at = now;
    if (this.#left < Math.min(price, this.#most)) return false;
    this.#left -= price;
    return true;
  }
}
