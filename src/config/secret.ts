import { inspect } from "node:util";

/**
 * Bytes that no log, status, event or error may show: every way to print one gives "(secret)". Kept as a text
 * of one character a byte: a Buffer takes ten times as long to make, and a hub has 100,000 of them.
 */
export class Secret {
  readonly #bytes: string;
  /** The file that it was read from; undefined: it stands in the configuration itself. */
  readonly file: string | undefined;

  /** @param bytes As they are, or a text for its UTF-8. */
  constructor(bytes: Uint8Array | string, file?: string) {
    this.#bytes = typeof bytes === "string" && isAscii(bytes) ? bytes : latin1(bytes);
    this.file = file;
  }

  /** The bytes themselves; callers hash, sign or compare them and let go. */
  reveal(): Buffer {
    return Buffer.from(this.#bytes, "latin1");
  }

  /** The same as a text of one character a byte. */
  revealText(): string {
    return this.#bytes;
  }

  /** One byte, 0 behind the end. */
  at(index: number): number {
    return index < this.#bytes.length ? this.#bytes.charCodeAt(index) : 0;
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

function latin1(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as string).toString("latin1");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
