/** What goes to stderr, and the exit code, when a command fails. */
import { ConfigurationError } from "../config/problems.ts";
import { exitCode, Failure } from "../net/failure.ts";

export interface Complaint {
  /** Each begins `ipipoud: `; detail that -v asked for follows. */
  readonly lines: readonly string[];
  readonly exitCode: number;
}

export function complaintOf(error: unknown, verbosity: number): Complaint {
  const lines = messagesOf(error).map((line) => `ipipoud: ${line}`);
  if (verbosity > 0) lines.push(...detail(error));
  return { lines, exitCode: codeOf(error) };
}

/** One line; a configuration has one for everything that is wrong with it, here or in a running daemon. */
function messagesOf(error: unknown): string[] {
  const message = error instanceof Error ? error.message || error.name : String(error);
  if (isForeseen(error)) return message.split("\n");
  return [message.replace(/\s*[\r\n]+\s*/g, " ").trim()];
}

function codeOf(error: unknown): number {
  if (error instanceof Failure) return error.exitCode;
  if (error instanceof ConfigurationError) {
    return error.onlyPrivilege ? exitCode.privilege : exitCode.usage;
  }
  return exitCode.runtime;
}

function isForeseen(error: unknown): boolean {
  return error instanceof Failure || error instanceof ConfigurationError;
}

/** The stack of what nobody foresaw, and the causes of what somebody did. */
function detail(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const stack = isForeseen(error) ? [] : (error.stack ?? "").split("\n").slice(1);
  if (!(error.cause instanceof Error)) return stack;
  return [...stack, `  because: ${error.cause.stack ?? error.cause.message}`];
}
