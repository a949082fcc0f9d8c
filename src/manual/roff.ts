/** Manual pages in man(7)'s macros, as groff and mandoc both read them. Pure. */

/** Code between backticks is bold; everything else is text. */
export function inline(text: string): string {
  return text
    .split("`")
    .map((part, i) => (i % 2 === 1 ? `\\fB${plain(part).replaceAll("-", "\\-")}\\fR` : plain(part)))
    .join("");
}

/** Text that means nothing to roff; other than ASCII by number, so that no encoding has to be known. */
export function plain(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("'", "\\(aq")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll('"', "\\(dq")
    .replace(/[^\n -~]/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `\\[u${code.toString(16).toUpperCase().padStart(4, "0")}]`;
    });
}

export class Page {
  readonly #lines: string[];

  constructor(title: string, section: number, date: string, source: string, manual: string) {
    this.#lines = [
      '.\\" Made by `npm run man`: change src/manual/ or the schema, not this file.',
      `.TH ${title} ${section} ${date} "${source}" "${manual}"`,
    ];
  }

  section(title: string): this {
    return this.#add(`.SH ${title}`);
  }

  subsection(title: string): this {
    return this.#add(`.SS ${title}`);
  }

  paragraph(text: string): this {
    return this.#add(".PP", ...sentences(text));
  }

  /** What follows a section's title needs no macro. */
  text(text: string): this {
    return this.#add(...sentences(text));
  }

  /** A term and what is said of it; both with `code`. */
  item(term: string, text: string): this {
    return this.#add(".TP", guard(inline(term)), ...sentences(text));
  }

  /** Lines as they are. */
  example(code: string): this {
    const lines = code.trimEnd().split("\n");
    return this.#add(
      ".PP",
      ".EX",
      ...lines.map((l) => guard(plain(l).replaceAll("-", "\\-"))),
      ".EE",
    );
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #add(...lines: readonly string[]): this {
    this.#lines.push(...lines);
    return this;
  }
}

/** Each on lines of its own, as roff wants them, none longer than a terminal is wide. */
function sentences(text: string): string[] {
  return text
    .split(/(?<=[A-Za-z0-9)`][.?!]) +(?=[A-Z`(])/)
    .flatMap((sentence) => wrap(inline(sentence)))
    .map(guard);
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 78) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A dot or an apostrophe at the beginning of a line is a request. */
function guard(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
