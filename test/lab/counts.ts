/**
 * A reporter for node:test: one line of JSON for every test that ended, written at once, so that what
 * a crashed guest had done is known. The other half reads and sums.
 */
import { readFile } from "node:fs/promises";
import type { TestEvent } from "node:test/reporters";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** A skipped test is no passed one: it is told apart so that the caller can refuse it. */
  readonly skipped: number;
}

interface Line {
  readonly name: string;
  readonly result: keyof Counts;
}

export default async function* lines(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { details, name, skip, todo } = event.data;
    const passed = event.type === "test:pass";
    // A suite is counted by its tests, unless it failed by itself (a hook).
    if (details.type === "suite" && (passed || failedByItsTests(details))) continue;
    const left = (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
    const line: Line = { name, result: left ? "skipped" : passed ? "passed" : "failed" };
    yield `${JSON.stringify(line)}\n`;
  }
}

function failedByItsTests(details: object): boolean {
  const error: unknown = "error" in details ? details.error : undefined;
  return (
    typeof error === "object" &&
    error !== null &&
    "failureType" in error &&
    error.failureType === "subtestsFailed"
  );
}

/** Sums what the reporter wrote; a file that is not there counts nothing. */
export async function readCounts(file: string): Promise<Counts> {
  const text = await readFile(file, "utf8").catch(() => "");
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of text.split("\n")) {
    if (line === "" || !line.endsWith("}")) continue;
    counts[(JSON.parse(line) as Line).result]++;
  }
  return counts;
}

export function sum(all: readonly Counts[]): Counts {
  return all.reduce(
    (a, b) => ({
      passed: a.passed + b.passed,
      failed: a.failed + b.failed,
      skipped: a.skipped + b.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}
