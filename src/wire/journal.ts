/**
 * The text that replay marks are kept as: one line of JSON for each packet taken. Appending a line is all
 * that a packet costs, and a process that is killed has lost nothing that it had written. Pure.
 *
 *     {"ipipoud":"replay marks 2","boot":"…","file":"1234/5678","floor":0,"check":"…"}
 *                              first: which boot of the machine wrote it, the file's own identity, by which a
 *                              copy that was brought back is known, and what holds for keys that have no line
 *     {"key":"…","time":1800000000,"salt":"0a0b0c0d","from":"198.51.100.2:40001","at":1800000000123,"check":"…"}
 *     {"key":"…","floor":1799999999,"check":"…"}         a mark as a whole begins anew
 *     {"key":"…","lead":20,"before":0,"check":"…"}       its clock has been ahead of ours by up to so many seconds,
 *                              now and when the floor was set
 *     {"end":true,"check":"…"}                           last, after a clean stop
 *
 * Each check is of its line and of the line before, so that a line that was changed, or is missing, shows.
 */
import { crc32 } from "./crc32.ts";
import type { ReplayMark, Stamp } from "./replay.ts";

const FORMAT = "replay marks 2";

/** Where a peer last proved itself. */
export interface Seen {
  /** `ADDRESS:PORT` */
  readonly from: string;
  /** Milliseconds since 1970, by our clock. */
  readonly at: number;
}

/** By how many seconds a clock has been ahead of ours at the most. */
export interface Lead {
  readonly now: number;
  /** As it was known when the floor was set. */
  readonly before: number;
}

export interface Kept {
  readonly mark: ReplayMark | undefined;
  readonly last: Seen | undefined;
  readonly lead: Lead | undefined;
}

export interface Head {
  readonly boot: string;
  /** The identity of the file itself. */
  readonly file: string;
  /** Seconds since 1970: what was signed by then is not taken, whatever the key. */
  readonly floor: number;
}

export interface Journal extends Head {
  /** By the key's name. */
  readonly keys: Map<string, Kept>;
  /** Whether it ends with a clean stop; otherwise its last lines may be missing. */
  readonly clean: boolean;
  /** Whether every line could be read, and none is missing before the last. */
  readonly whole: boolean;
}

/** Lines to be, without their checks. */
export type Entry = Readonly<Record<string, unknown>>;

export const headEntry = ({ boot, file, floor }: Head): Entry => ({
  ...{ ipipoud: FORMAT, boot, file, floor },
});

export const stampEntry = (key: string, { time, salt }: Stamp, last: Seen | undefined): Entry => ({
  ...{ key, time, salt, from: last?.from, at: last?.at },
});

export const leadEntry = (key: string, { now, before }: Lead): Entry => ({
  key,
  lead: now,
  before,
});

export const endEntry: Entry = { end: true };

/** All that is known of a key; of none of it: nothing has been taken. */
export function keptEntries(key: string, { mark, last, lead }: Kept): Entry[] {
  const { floor, seen } = mark ?? { floor: 0, seen: [] };
  return [
    { key, floor },
    ...(lead === undefined ? [] : [leadEntry(key, lead)]),
    ...seen.map((stamp, i) => stampEntry(key, stamp, i === seen.length - 1 ? last : undefined)),
  ];
}

/** `check`: of the line before; "" at the beginning. */
export function sealed(
  entries: readonly Entry[],
  check: string,
): { readonly text: string; readonly check: string } {
  let text = "";
  let last = check;
  for (const entry of entries) {
    const body = JSON.stringify(entry);
    last = checkOf(body, last);
    text += `${body.slice(0, -1)},"check":"${last}"}\n`;
  }
  return { text, check: last };
}

/** `,"check":"01234567"}` */
const SEAL = /^(.*),"check":"([0-9a-f]{8})"\}$/;

function checkOf(body: string, before: string): string {
  return crc32(body, crc32(before)).toString(16).padStart(8, "0");
}

/** undefined where it is no journal of ours, or of another version. */
export function readJournal(text: string): Journal | undefined {
  const [first = "", ...rest] = text.split("\n");
  let { entry, check } = unsealed(first, "");
  const { ipipoud: format, boot, file, floor } = entry ?? {};
  if (format !== FORMAT || typeof boot !== "string" || typeof file !== "string" || !isTime(floor)) {
    return undefined;
  }
  const keys = new Map<string, Growing>();
  // A whole file ends with a line break: what stands after the last one is a torn line.
  let whole = rest.pop() === "";
  let clean = false;
  for (const one of rest) {
    ({ entry, check } = unsealed(one, check));
    clean = entry?.["end"] === true;
    if (!clean && !(entry !== undefined && take(keys, entry))) whole = false;
  }
  return { keys, boot, file, floor, clean, whole };
}

/** After a line that can't be read the next one may be right all the same, if its predecessor's check is there. */
function unsealed(
  line: string,
  before: string,
): { readonly entry: Entry | undefined; readonly check: string } {
  const [, open, check = ""] = SEAL.exec(line) ?? [];
  if (open === undefined || checkOf(`${open}}`, before) !== check)
    return { entry: undefined, check };
  return { entry: parse(`${open}}`), check };
}

interface Growing {
  mark: { floor: number; seen: Stamp[] } | undefined;
  last: Seen | undefined;
  lead: Lead | undefined;
}

function take(keys: Map<string, Growing>, entry: Entry): boolean {
  const { key, time, salt, floor, lead, before, from, at } = entry;
  if (typeof key !== "string") return false;
  const kept = keys.get(key) ?? { mark: undefined, last: undefined, lead: undefined };
  if (isTime(floor))
    Object.assign(kept, { mark: { floor, seen: [] }, last: undefined, lead: undefined });
  else if (isTime(lead) && isTime(before)) kept.lead = { now: lead, before };
  else if (isTime(time) && typeof salt === "string") {
    kept.mark ??= { floor: 0, seen: [] };
    kept.mark.seen.push({ time, salt });
    if (typeof from === "string" && isTime(at)) kept.last = { from, at };
  } else return false;
  keys.set(key, kept);
  return true;
}

function parse(text: string): Entry | undefined {
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
