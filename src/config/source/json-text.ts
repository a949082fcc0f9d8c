/**
 * JSON as text: where its first flaw is, and where a value stands. JSON.parse does the reading; this is
 * for errors, so that they have a line and never quote the file.
 */
import { Complaint } from "../complaint.ts";
import type { At, Located, Path } from "./document.ts";
import { checkName, deepest, givenTwice, tooDeep } from "./limits.ts";

export interface Flaw {
  readonly offset: number;
  readonly complaint: Complaint;
}

/** The first thing that RFC 8259 does not allow, or the first key that stands twice; undefined for none. */
export function checkJson(text: string): Flaw | undefined {
  const reader = new Reader(text);
  try {
    reader.space();
    reader.check(0);
    reader.space();
    if (reader.offset < text.length)
      reader.fail("text after the end of the value", "one value a file");
    return undefined;
  } catch (error) {
    if (error instanceof FlawFound) return error.flaw;
    throw error;
  }
}

/** For text that {@link checkJson} finds nothing wrong with. */
export function locateInJson(text: string, path: Path, at: At): Located {
  const reader = new Reader(text);
  reader.space();
  let keyAt = reader.offset;
  let depth = 0;
  for (const part of path) {
    const found = typeof part === "number" ? reader.enterItem(part) : reader.enterKey(part);
    if (found === undefined) break;
    keyAt = found;
    depth++;
  }
  const next = text[reader.offset];
  const offset = at === "key" || next === "{" || next === "[" ? keyAt : reader.offset;
  const items = next === "[" ? reader.countItems() : undefined;
  return { depth, offset, items };
}

class FlawFound extends Error {
  readonly flaw: Flaw;
  constructor(flaw: Flaw) {
    super("flaw");
    this.flaw = flaw;
  }
}

class Reader {
  readonly text: string;
  offset = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string, mend?: string, offset = this.offset): never {
    throw new FlawFound({ offset, complaint: new Complaint(what, mend) });
  }

  space(): void {
    this.#match(/[ \t\n\r]*/y);
  }

  /** A whole value, strictly; stands behind it then. */
  check(depth: number): void {
    const { text, offset } = this;
    if (depth > deepest) throw new FlawFound({ offset, complaint: tooDeep });
    switch (text[offset]) {
      case "{":
        this.#checkObject(depth);
        return;
      case "[":
        this.#list("]", () => this.check(depth + 1));
        return;
      case '"':
        this.#string();
        return;
      default:
        if (offset === text.length) this.fail("the file ends in the middle", "close what is open");
        if (this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y)) return;
        this.fail("not a JSON value", "text stands in double quotes");
    }
  }

  #checkObject(depth: number): void {
    const names = new Map<string, number>();
    this.#list("}", () => {
      const start = this.offset;
      if (this.text[start] !== '"')
        this.fail("want a key", 'keys stand in double quotes; no "," before "}"');
      const name = this.#name();
      const complaint = checkName(name);
      if (complaint !== undefined) throw new FlawFound({ offset: start, complaint });
      const first = names.get(name);
      if (first !== undefined) {
        throw new FlawFound({ offset: start, complaint: givenTwice(this.text, first) });
      }
      names.set(name, start);
      this.#colon();
      this.check(depth + 1);
    });
  }

  /** Items between brackets with commas; stands behind the closing one then. */
  #list(close: "]" | "}", item: () => void): void {
    this.offset++;
    this.space();
    if (this.text[this.offset] === close) {
      this.offset++;
      return;
    }
    for (;;) {
      item();
      this.space();
      const next = this.text[this.offset];
      if (next === undefined) this.fail("the file ends in the middle", "close what is open");
      if (next !== "," && next !== close) this.fail(`want "," or "${close}"`);
      this.offset++;
      if (next === close) return;
      this.space();
    }
  }

  #colon(): void {
    this.space();
    if (this.text[this.offset] !== ":") this.fail('want ":" after a key');
    this.offset++;
    this.space();
  }

  /** A string, raw and with its quotes. */
  #string(): string {
    const start = this.offset;
    let i = start + 1;
    for (; this.text[i] !== '"'; i++) {
      const character = this.text.charCodeAt(i);
      if (Number.isNaN(character)) this.fail("a string is not closed", 'add the closing "', start);
      if (character < 0x20)
        this.fail("a control character in a string", "write it as \\n, \\t or \\u…", i);
      if (character !== 0x5c) continue;
      const known = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
      known.lastIndex = i;
      if (!known.test(this.text))
        this.fail("an unknown escape in a string", "write \\\\ for a backslash", i);
      i++;
    }
    this.offset = i + 1;
    return this.text.slice(start, this.offset);
  }

  #name(): string {
    return String(JSON.parse(this.#string()));
  }

  /** To the value of this key, if we stand before an object that has it; gives where the key stands. */
  enterKey(name: string): number | undefined {
    return this.#enter("{", () => {
      const found = this.#name() === name;
      this.#colon();
      return found;
    });
  }

  /** To this item, if we stand before a list that has it. */
  enterItem(index: number): number | undefined {
    let passed = 0;
    return this.#enter("[", () => passed++ === index);
  }

  #enter(open: "[" | "{", found: () => boolean): number | undefined {
    const before = this.offset;
    if (this.text[before] !== open) return undefined;
    this.offset++;
    this.space();
    while (!"]}".includes(this.text[this.offset] ?? "}")) {
      const start = this.offset;
      if (found()) return start;
      this.#skip();
      this.#match(/[ \t\n\r]*,?[ \t\n\r]*/y);
    }
    this.offset = before;
    return undefined;
  }

  countItems(): number {
    let items = 0;
    this.#enter("[", () => {
      items++;
      return false;
    });
    return items;
  }

  /** Over a value without looking into it. */
  #skip(): void {
    let open = 0;
    for (;;) {
      const character = this.text[this.offset];
      if (character === undefined) return;
      if (character === '"') this.#string();
      else if (character === "{" || character === "[") {
        open++;
        this.offset++;
      } else if (character === "}" || character === "]") {
        open--;
        this.offset++;
      } else if (!this.#match(/[^[\]{}",]+/y)) this.offset++;
      if (open === 0) return;
    }
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.offset;
    if (!pattern.test(this.text)) return false;
    this.offset = pattern.lastIndex;
    return true;
  }
}
