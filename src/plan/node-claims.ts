/** Whose inner addresses are already somebody's: who has them first keeps them. Pure. */
import { formatPrefix, networkOf, type Prefix } from "../net/address.ts";

export class Claims {
  /** Of all networks that are ever asked for. */
  readonly #lengths: readonly number[];
  readonly #owners = new Map<string, string>();
  /** Networks around what somebody has, by one of those inside. */
  readonly #around = new Map<string, string>();

  constructor(lengths: Iterable<number>) {
    this.#lengths = [...new Set(lengths)].sort((a, b) => a - b);
  }

  /** Who has one of these addresses. */
  ownerOf(prefix: Prefix): string | undefined {
    const inside = this.#around.get(formatPrefix(prefix));
    if (inside !== undefined) return inside;
    for (const length of this.#lengths) {
      if (length > prefix.length) break;
      const owner = this.#owners.get(formatPrefix(networkOf({ ...prefix, length })));
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  take(prefix: Prefix, owner: string): void {
    this.#owners.set(formatPrefix(prefix), owner);
    this.takeAround(prefix, owner);
  }

  /** Others may have parts of it, as the narrower network counts, but not all of it. */
  takeAround(prefix: Prefix, owner: string): void {
    for (const length of this.#lengths) {
      if (length > prefix.length) break;
      const around = formatPrefix(networkOf({ ...prefix, length }));
      if (!this.#around.has(around)) this.#around.set(around, owner);
    }
  }
}
