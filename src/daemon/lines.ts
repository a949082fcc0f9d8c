/** Cuts a byte stream into lines, and holds no more than one line of a bounded length. */
export class Lines {
  readonly #longest: number;
  #pending: Buffer[] = [];
  #length = 0;

  /** `longest`: bytes of a line with its line break. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** The lines that this chunk completes, without line breaks; undefined as soon as one is too long. */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(0x0a);
      const part = end < 0 ? rest : rest.subarray(0, end);
      this.#length += part.length;
      if (this.#length >= this.#longest) return undefined;
      this.#pending.push(part);
      if (end < 0) return lines;
      lines.push(Buffer.concat(this.#pending).toString("utf8"));
      this.#pending = [];
      this.#length = 0;
      rest = rest.subarray(end + 1);
    }
  }
}
