/** Keys and list positions from the top of a file to a value. */
export type Path = readonly (string | number)[];

/** Whether the key or its value is meant. */
export type At = "key" | "value";

/** One file's content, and where each part of it stands. */
export interface Source {
  /** Plain objects, arrays, strings, numbers, booleans and null. */
  readonly value: unknown;
  /** The value once more. Where this is there, nothing in `value` stands twice, and who reads it may change it. */
  readonly again?: () => unknown;
  readonly document: SourceDocument;
}

/** What is kept of a file for errors that come later; its values, of which there may be many, are not. */
export interface SourceDocument {
  readonly file: string;
  readonly text: string;
  /** Where this path stands, or as much of it as there is. Slow: for errors only. */
  locate(path: Path, at: At): Located;
}

export interface Located {
  /** How many parts of the path were found. */
  readonly depth: number;
  /** UTF-16 units from the start of the text. */
  readonly offset: number;
  /** Items, where the path leads to a list: lists of several files follow each other. */
  readonly items: number | undefined;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Place extends Position {
  readonly file: string;
  /** The file's place among the files. */
  readonly order: number;
}

/** All files together, as one tree of which each file gave a part. */
export class Documents {
  readonly #documents: readonly SourceDocument[];

  constructor(documents: readonly SourceDocument[]) {
    this.#documents = documents;
  }

  /** Where a value of the merged tree stands: in the first file that has it, or most of the way to it. */
  place(path: Path, at: At): Place {
    let best: Place | undefined;
    let depth = -1;
    let wanted = path;
    for (const [order, document] of this.#documents.entries()) {
      const found = document.locate(wanted, at);
      if (found.depth > depth) {
        depth = found.depth;
        best = { file: document.file, order, ...positionOf(document.text, found.offset) };
      }
      if (depth === path.length) break;
      wanted = afterItemsOf(document, wanted);
    }
    return best ?? { file: "", order: 0, line: 1, column: 1 };
  }
}

/** The same item of a merged list as the next file would count it. */
function afterItemsOf(document: SourceDocument, path: Path): Path {
  const index = path.at(-1);
  if (typeof index !== "number") return path;
  const list = path.slice(0, -1);
  const found = document.locate(list, "value");
  if (found.depth < list.length) return path;
  return [...list, index - (found.items ?? 0)];
}

export function positionOf(text: string, offset: number): Position {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = text.indexOf("\n", start);
    if (end < 0 || end >= offset) return { line, column: offset - start + 1 };
    line++;
    start = end + 1;
  }
}
