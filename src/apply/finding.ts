/** What stands in the way of a start, or is worth a word. Pure. */
import { exitCode, Failure, type FailureCode } from "../net/failure.ts";

export interface Finding {
  readonly level: "error" | "warning" | "note";
  /** For programs; stays the same when the words change. */
  readonly code: string;
  readonly message: string;
  readonly mend: string;
  /** What a start would exit with; errors only. */
  readonly exitCode: FailureCode;
}

/** A start would end with this exit code. */
export function hindrance(
  exitCode: FailureCode,
  code: string,
  message: string,
  mend: string,
): Finding {
  return { level: "error", code, message, mend, exitCode };
}

export function warning(code: string, message: string, mend: string): Finding {
  return { level: "warning", code, message, mend, exitCode: exitCode.usage };
}

export function note(code: string, message: string, mend: string): Finding {
  return { level: "note", code, message, mend, exitCode: exitCode.usage };
}

/** Throws the first error as a {@link Failure}. */
export function demandNoConflict(findings: readonly Finding[]): void {
  const error = findings.find(({ level }) => level === "error");
  if (error !== undefined) throw new Failure(error.exitCode, error.message, error.mend);
}

/** `a, b, c and 4 more`: a line stays a line, however many it is about. */
export function listed(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
