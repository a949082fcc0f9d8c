/** What was written, before anybody knows what it means: a file's lines or a command line as words. */
import type { Complaint } from "../config/complaint.ts";
import type { Problem } from "../config/problems.ts";

export interface Origin {
  /** As it was named, or {@link commandLine}. */
  readonly file: string;
  /** 1-based; undefined on a command line. */
  readonly line: number | undefined;
}

/** One argument, as ipipou 0.1's parser gets it. */
export interface Word {
  readonly text: string;
  readonly origin: Origin;
  /** Comment lines above it in the file, without their `#`; "" is an empty line between two. */
  readonly comments: readonly string[];
}

export interface OldFile {
  readonly words: readonly Word[];
  /** Comments at the top of the file, which an empty line parts from the first option. */
  readonly head: readonly string[];
  /** Comments behind the last option. */
  readonly tail: readonly string[];
}

export const commandLine = "command line";

/** @param args with `--config` and its files taken out */
export function wordsOf(args: readonly string[]): Word[] {
  const origin = { file: commandLine, line: undefined };
  return args.map((text) => ({ text, origin, comments: [] }));
}

/**
 * A file's grammar: an option a line, a single space before its value, which is all the rest of the line,
 * spaces at its end included. A comment begins in the first column. Spaces, tabs and hyphens before an
 * option are skipped.
 */
export function readOldFile(file: string, text: string): OldFile {
  const words: Word[] = [];
  let head: readonly string[] = [];
  let comments: string[] = [];
  // Python's universal newlines: a carriage return alone ends a line, too.
  for (const [i, line] of text.split(/\r\n|\r|\n/).entries()) {
    if (line.startsWith("#")) {
      comments.push(line.slice(1));
      continue;
    }
    const option = line.replace(/^[ \t-]+/, "");
    if (option === "") {
      comments.push("");
      continue;
    }
    if (words.length === 0) {
      const parted = comments.lastIndexOf("") + 1;
      head = trimmed(comments.slice(0, parted));
      comments = comments.slice(parted);
    }
    const origin = { file, line: i + 1 };
    const space = option.indexOf(" ");
    const name = space < 0 ? option : option.slice(0, space);
    const value = space < 0 ? "" : option.slice(space + 1);
    words.push({
      text: `${name.length === 1 ? "-" : "--"}${name}`,
      origin,
      comments: trimmed(comments),
    });
    if (value !== "") words.push({ text: value, origin, comments: [] });
    comments = [];
  }
  return { words, head, tail: trimmed(comments) };
}

/** Without empty lines around it. */
function trimmed(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => line !== "");
  if (first < 0) return [];
  const last = lines.findLastIndex((line) => line !== "");
  return lines.slice(first, last + 1);
}

/** @param where the option, where there is one that may be named */
export function problemAt(origin: Origin, where: string, complaint: Complaint): Problem {
  const { what, mend } = complaint;
  const { file, line } = origin;
  return { file, line, column: undefined, what, where, mend, kind: "configuration" };
}
