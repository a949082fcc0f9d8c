/** Why a store can't be used now, in words that are the same each time for the same fault. */

/** `unreachable`: another member, or the same one later, may do. `refused`: the cluster has answered, and said no. */
export type FaultKind = "unreachable" | "refused";

export class StoreFault extends Error {
  readonly kind: FaultKind;
  /** The token that we showed is not good any more: another one may be. */
  readonly stale: boolean;

  constructor(kind: FaultKind, words: string, { stale = false, cause }: FaultOptions = {}) {
    super(words, { cause });
    this.kind = kind;
    this.stale = stale;
  }
}

interface FaultOptions {
  readonly stale?: boolean;
  readonly cause?: unknown;
}

/** google.rpc.Code, as far as another try makes sense: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE. */
const PASSING: ReadonlySet<number> = new Set([4, 8, 10, 13, 14]);
const UNAUTHENTICATED = 16;
const LONGEST_WORDS = 120;

/** An answer that is an error, as the gateway writes it: whole, or as the last message of a stream. */
export function faultOf(answer: Readonly<Record<string, unknown>>, status: number): StoreFault {
  const inner = answer["error"];
  const of = typeof inner === "object" && inner !== null ? (inner as typeof answer) : answer;
  const code = Number(of["code"] ?? of["grpc_code"]);
  const message = of["message"] ?? of["error"];
  if (typeof message !== "string" || Number.isNaN(code)) {
    return new StoreFault(
      "refused",
      `it answers with status ${status}: is that etcd's client port?`,
    );
  }
  // Users and roles may have changed since.
  const stale = code === UNAUTHENTICATED || /invalid auth token|auth store is old/.test(message);
  return new StoreFault(PASSING.has(code) ? "unreachable" : "refused", printable(message), {
    stale,
  });
}

/** It comes from outside, and goes into a line of the log. */
export function printable(words: string): string {
  return words.slice(0, LONGEST_WORDS).replace(/[^ -~]/g, "?");
}
