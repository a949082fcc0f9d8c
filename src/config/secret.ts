import { inspect } from "node:util";

/** Bytes that no log, status, event or error may show: every way to print one gives "(secret)". */
export class Secret {
  readonly #bytes: Buffer;
  /** The file that it was read from; undefined: it stands in the configuration itself. */
  readonly file: string | undefined;

  /** @param bytes Ours from now on. */
  constructor(bytes: Uint8Array, file?: string) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
    this.file = file;
  }

  /** The bytes themselves; callers hash, sign or compare them and let go. */
  reveal(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  toString(): string {
    return "(secret)";
  }

  toJSON(): string {
    return "(secret)";
  }

  [inspect.custom](): string {
    return "(secret)";
  }
}
