/**
 * From words to options, by the rules of Python's argparse, with which ipipou 0.1 reads its command line
 * and, after a little preparation, its files: long names may be cut short, `-vvn3` is three options, and
 * what looks like an option is no value. Values are never shown: they may be secrets.
 */
import { Complaint } from "../config/complaint.ts";
import { nearest } from "../config/nearest.ts";
import type { Problem } from "../config/problems.ts";
import { nameOf, type OldOption, oldOptions } from "./options.ts";
import { type Origin, problemAt, type Word } from "./words.ts";

/** An option as somebody gave it. */
export interface Given {
  readonly option: OldOption;
  /** The text of its value; undefined for one that takes none. */
  readonly text: string | undefined;
  readonly origin: Origin;
  readonly comments: readonly string[];
}

export interface Parsed {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

/** What a word is, seen by itself. */
type Kind =
  | { readonly kind: "value" }
  | { readonly kind: "unknown" }
  | { readonly kind: "ambiguous"; readonly names: readonly string[] }
  | {
      readonly kind: "option";
      readonly option: OldOption;
      /** Behind a `=`, or stuck to a short name. */
      readonly attached: string | undefined;
      readonly short: boolean;
    };

const byName: ReadonlyMap<string, OldOption> = new Map(
  oldOptions.flatMap((option) => option.names.map((name) => [name, option] as const)),
);

export function parseOptions(words: readonly Word[]): Parsed {
  const given: Given[] = [];
  const problems: Problem[] = [];
  const refuse = ({ origin }: Word, where: string, complaint: Complaint): void => {
    problems.push(problemAt(origin, where, complaint));
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === undefined) break;
    const kind = kindOf(word.text);
    if (kind.kind === "ambiguous") {
      refuse(
        word,
        "",
        new Complaint(`may mean ${kind.names.join(" or ")}`, "write the whole name"),
      );
    } else if (kind.kind === "unknown") {
      refuse(word, "", unknownOption(word));
    } else if (kind.kind === "value") {
      refuse(word, "", stray);
    }
    const next = words[i + 1];
    if (kind.kind !== "option") {
      // What follows an unknown option is most likely that option's, and no mistake of its own.
      const follows =
        isValueOf(next, word) || (next !== undefined && kindOf(next.text).kind === "value");
      if (kind.kind !== "value" && follows) i++;
      continue;
    }
    const taken = takeOption(kind, word);
    given.push(...taken.flags);
    if (taken.flaw !== undefined) {
      refuse(word, taken.flaw.where, taken.flaw.complaint);
    } else if (taken.open === undefined) {
      if (next !== undefined && isValueOf(next, word) && kindOf(next.text).kind === "value") {
        refuse(word, nameOf(kind.option), new Complaint("takes no value", "remove the value"));
        i++;
      }
    } else if (next !== undefined && kindOf(next.text).kind === "value") {
      given.push({ ...taken.open, text: next.text });
      i++;
    } else {
      const onSameLine = isValueOf(next, word);
      const what = onSameLine ? "a value that looks like an option" : "no value";
      const mend = onSameLine ? "ipipou 0.1 does not take it either" : "write one behind the name";
      refuse(word, nameOf(taken.open.option), new Complaint(what, mend));
      if (onSameLine) i++;
    }
  }
  return { given, problems };
}

const stray = new Complaint("a word that belongs to no option", "remove it");

/** The rest of the same line of a file; on a command line nobody can tell. */
function isValueOf(next: Word | undefined, word: Word): boolean {
  return next !== undefined && word.origin.line !== undefined && next.origin === word.origin;
}

interface Taken {
  /** Options of one word that take nothing: `-vvs` has three. */
  readonly flags: readonly Given[];
  /** The last one, if it wants a value from the next word. */
  readonly open?: Omit<Given, "text">;
  readonly flaw?: { readonly where: string; readonly complaint: Complaint };
}

function takeOption(first: Extract<Kind, { kind: "option" }>, word: Word): Taken {
  const flags: Given[] = [];
  let { option, attached } = first;
  // Only the first of several in one word stands below the comment.
  let { comments } = word;
  for (;;) {
    const given = { option, origin: word.origin, comments };
    if (option.takes !== "nothing") {
      if (attached === undefined) return { flags, open: given };
      return { flags: [...flags, { ...given, text: attached }] };
    }
    flags.push({ ...given, text: undefined });
    if (attached === undefined) return { flags };
    const following = first.short ? byName.get(`-${attached.charAt(0)}`) : undefined;
    if (following === undefined) {
      const complaint = new Complaint("takes no value", "remove what is stuck to it");
      return { flags, flaw: { where: nameOf(option), complaint } };
    }
    option = following;
    attached = attached.length > 1 ? attached.slice(1) : undefined;
    comments = [];
  }
}

function kindOf(text: string): Kind {
  if (!text.startsWith("-")) return { kind: "value" };
  const exact = byName.get(text);
  const short = !text.startsWith("--");
  if (exact !== undefined) return { kind: "option", option: exact, attached: undefined, short };
  if (text.length === 1) return { kind: "value" };
  if (text === "--") return { kind: "unknown" };
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const attached = equals < 0 ? undefined : text.slice(equals + 1);
  const named = byName.get(name);
  if (named !== undefined) return { kind: "option", option: named, attached, short };
  if (short) {
    const option = byName.get(text.slice(0, 2));
    if (option !== undefined) return { kind: "option", option, attached: text.slice(2), short };
  } else {
    const names = [...byName.keys()].filter((known) => known.startsWith(name));
    if (names.length > 1) return { kind: "ambiguous", names };
    const option = byName.get(names[0] ?? "");
    if (option !== undefined) return { kind: "option", option, attached, short };
  }
  // A negative number, or a text with a space in it, is a value all the same.
  if (/^-\d+$|^-\d*\.\d+$/.test(text) || text.includes(" ")) return { kind: "value" };
  return { kind: "unknown" };
}

/** A name that is near to a known one is shown; anything else may be a secret without its space. */
function unknownOption({ text, origin }: Word): Complaint {
  const name = text.replace(/^-+/, "");
  if (origin.line !== undefined && name.startsWith("#")) {
    return new Complaint("a comment that does not begin in the first column", "move it there");
  }
  const [start = ""] = /^[A-Za-z0-9-]*/.exec(name) ?? [];
  if (byName.has(`--${start}`) && start !== name) {
    return new Complaint(`no space behind \`${start}\``, "write the name, one space, the value");
  }
  const names = oldOptions.map(nameOf);
  const near = name.length > 2 && name.length <= 64 ? nearest(name, names) : undefined;
  const alike =
    near !== undefined && near.distance <= Math.max(1, Math.floor(near.name.length / 4));
  return alike
    ? new Complaint(`no option of ipipou 0.1: \`${name}\``, `did you mean \`${near.name}\`?`)
    : new Complaint("no option of ipipou 0.1", "remove it");
}
