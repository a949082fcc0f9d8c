/**
 * The text that replay marks are kept as: one line of JSON for each packet taken. Appending a line is all
 * that a packet costs, and a process that is killed has lost nothing that it had written. Pure.
 *
 *     {"ipipoud":"replay marks 1","boot":"…","floor":0}
 *                                                 first: which boot of the machine wrote it, and what
 *                                                 holds for keys that have no line
 *     {"key":"…","time":1800000000,"salt":"0a0b0c0d"}
 *     {"key":"…","floor":1799999999}              a mark as a whole begins anew
 *     {"end":true}                                last, after a clean stop
 */
import type { ReplayMark, Stamp } from "./replay.ts";

const FORMAT = "replay marks 1";

export interface Journal {
  /** By the key's name. */
  readonly marks: Map<string, ReplayMark>;
  readonly boot: string;
  /** Seconds since 1970: what was signed by then is not taken, whatever the key. */
  readonly floor: number;
  /** Whether it ends with a clean stop; otherwise its last lines may be missing. */
  readonly clean: boolean;
  /** Whether every line could be read. */
  readonly whole: boolean;
}

export function firstLine(boot: string, floor: number): string {
  return line({ ipipoud: FORMAT, boot, floor });
}

export function stampLine(key: string, { time, salt }: Stamp): string {
  return line({ key, time, salt });
}

/** As many lines as it takes; undefined: nothing has been taken. */
export function markLines(key: string, mark: ReplayMark | undefined): string {
  const floor = line({ key, floor: mark?.floor ?? 0 });
  return floor + (mark?.seen ?? []).map((stamp) => stampLine(key, stamp)).join("");
}

export function lastLine(): string {
  return line({ end: true });
}

/** undefined where it is no journal of ours, or of a later version. */
export function readJournal(text: string): Journal | undefined {
  const [head = "", ...rest] = text.split("\n");
  const { ipipoud: format, boot, floor } = parse(head) ?? {};
  if (format !== FORMAT || typeof boot !== "string" || !isTime(floor)) return undefined;
  const marks = new Map<string, { floor: number; seen: Stamp[] }>();
  // A whole file ends with a line break: what stands after the last one is a torn line.
  let whole = rest.pop() === "";
  let clean = false;
  for (const one of rest) {
    const entry = parse(one);
    clean = entry?.["end"] === true;
    if (!clean && !(entry !== undefined && take(marks, entry))) whole = false;
  }
  return { marks, boot, floor, clean, whole };
}

function take(
  marks: Map<string, { floor: number; seen: Stamp[] }>,
  { key, time, salt, floor }: Readonly<Record<string, unknown>>,
): boolean {
  if (typeof key !== "string") return false;
  if (isTime(floor)) {
    marks.set(key, { floor, seen: [] });
    return true;
  }
  if (!isTime(time) || typeof salt !== "string") return false;
  const mark = marks.get(key);
  if (mark === undefined) marks.set(key, { floor: 0, seen: [{ time, salt }] });
  else mark.seen.push({ time, salt });
  return true;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
