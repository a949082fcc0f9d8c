import { printable } from "../net/printable.ts";
import type { Complaint } from "./complaint.ts";
import type { At, Documents, Path } from "./source/document.ts";

/** One thing that is wrong, where it stands, and how to mend it. */
export interface Problem {
  readonly file: string;
  /** 1-based; undefined where the file as a whole is meant. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly what: string;
  /** The key, as `tunnels.hub.peers.laptop.publicKey`; empty for syntax and files. */
  readonly where: string;
  readonly mend: string | undefined;
  /** "privilege": nothing need be wrong with the configuration, we may only not read all of it. */
  readonly kind: "configuration" | "privilege";
}

/** `file:line:col: what (where): mend`, always one line. */
export function formatProblem(problem: Problem): string {
  const { message, mend } = describeProblem(problem);
  return mend === undefined ? message : `${message}: ${mend}`;
}

/** The same in two parts. */
export function describeProblem(problem: Problem): { message: string; mend: string | undefined } {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined);
  const where = problem.where === "" ? "" : ` (${problem.where})`;
  return {
    message: printable(`${place.join(":")}: ${problem.what}${where}`),
    mend: problem.mend === undefined ? undefined : printable(problem.mend),
  };
}

/** Everything that was found wrong, in the order of the files; the message is one line for each. */
export class ConfigurationError extends Error {
  readonly problems: readonly Problem[];
  /** How many more there were than are kept in {@link problems}. */
  readonly more: number;

  constructor(problems: readonly Problem[], more = 0) {
    const lines = problems.map(formatProblem);
    if (more > 0) lines.push(`and ${more} more like these`);
    super(lines.join("\n"));
    this.name = "ConfigurationError";
    this.problems = problems;
    this.more = more;
  }

  /** Only privileges are missing: with them the configuration might be right. */
  get onlyPrivilege(): boolean {
    return this.problems.every((problem) => problem.kind === "privilege");
  }
}

/** What is wrong with files as such: syntax, encoding, absence. */
export function fileProblem(
  file: string,
  complaint: Complaint,
  place?: { readonly line: number; readonly column: number },
  kind: Problem["kind"] = "configuration",
): Problem {
  const { what, mend } = complaint;
  return { file, line: place?.line, column: place?.column, what, where: "", mend, kind };
}

/** Collects what is wrong, finds its place in the files, and throws at the end: an operator sees all of it at once. */
export class Problems {
  readonly #documents: Documents;
  readonly #found: { path: Path; complaint: Complaint; note: Note }[] = [];
  #more = 0;

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  add(path: Path, complaint: Complaint, note: Note = {}): void {
    // Finding a place reads the file again, so a generated file with the same mistake 100,000 times stops here.
    if (this.#found.length < most) this.#found.push({ path, complaint, note });
    else this.#more++;
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return;
    const placed = this.#found.map(({ path, complaint, note }) => {
      const { file, order, line, column } = this.#documents.place(path, note.at ?? "value");
      const { what, mend } = complaint;
      const where = formatPath(note.where ?? path);
      const kind = note.kind ?? "configuration";
      return { order, problem: { file, line, column, what, where, mend, kind } };
    });
    placed.sort((a, b) => a.order - b.order || compare(a.problem, b.problem));
    throw new ConfigurationError(
      placed.map(({ problem }) => problem),
      this.#more,
    );
  }
}

export interface Note {
  readonly at?: At;
  readonly kind?: Problem["kind"];
  /** The path to print, where it is not the one that leads to the place. */
  readonly where?: Path;
}

const most = 20;

function compare(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** `tunnels.hub.peers."a.b".allowedIPs[1]` */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += (text === "" ? "" : ".") + formatName(part);
  }
  return text;
}

/** `{secret:topsecret}` lacks a space and makes a name of what should not be shown. */
const mangledSecret = /^\W*(?:secret|token|tokenBase64|privateKey)(?:File)?\s*\W/i;

/** A name from the file as it may be printed. */
export function formatName(name: string): string {
  if (mangledSecret.test(name)) return "(not shown)";
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}
