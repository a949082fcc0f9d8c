/**
 * The error that an operator sees: one line that says what went wrong, where, and how to mend it, with
 * the exit code it stands for. Anything else that is thrown is a bug or a {@link Error} to be wrapped.
 */

/** The exit codes of failures; 0 is success. cli/exit-codes.ts documents them. */
export const exitCode = {
  runtime: 1,
  usage: 2,
  privilege: 3,
  kernel: 4,
  conflict: 5,
} as const;

export type FailureCode = (typeof exitCode)[keyof typeof exitCode];

export class Failure extends Error {
  readonly exitCode: FailureCode;
  /** What went wrong and where, without the mend. */
  readonly what: string;
  /** What to do about it; undefined where `what` says it all. */
  readonly mend: string | undefined;

  /** The message is `what; mend` on one line, whatever line breaks the parts have. */
  constructor(exitCode: FailureCode, what: string, mend?: string, options?: ErrorOptions) {
    super(oneLine(mend === undefined ? what : `${what}; ${mend}`), options);
    this.name = "Failure";
    this.exitCode = exitCode;
    this.what = oneLine(what);
    this.mend = mend === undefined ? undefined : oneLine(mend);
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").trim();
}
