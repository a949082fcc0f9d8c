/**
 * The few messages of etcd's v3 API that a directory needs, in the JSON that its gateway speaks: keys and values
 * in base64, 64-bit numbers as texts, zeros left out. Pure.
 */
import { StoreFault } from "./fault.ts";

export type Mapping = Readonly<Record<string, unknown>>;

export interface Header {
  readonly cluster: string;
  readonly revision: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

export interface Range {
  readonly header: Header;
  readonly pairs: readonly KeyValue[];
  /** There are more behind the last of these. */
  readonly more: boolean;
  readonly count: number;
}

export type WatchMessage =
  | { readonly kind: "created"; readonly header: Header }
  /** `progress`: nothing has happened up to the header's revision. */
  | { readonly kind: "progress"; readonly header: Header }
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  /** What it should begin with is not kept any more. */
  | { readonly kind: "compacted" }
  | { readonly kind: "canceled"; readonly reason: string };

export interface Change {
  readonly key: string;
  /** undefined: it is gone. */
  readonly value: string | undefined;
  readonly revision: number;
}

export function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** Both ends of what begins with this, as etcd counts them. */
export function rangeOf(prefix: string): { readonly key: string; readonly range_end: string } {
  const end = Buffer.from(prefix, "utf8");
  // A prefix is ASCII, so its last byte has one behind it.
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: encode(prefix), range_end: end.toString("base64") };
}

export function readRange(answer: Mapping): Range {
  const { kvs = [], more = false, count = "0" } = answer;
  if (!Array.isArray(kvs)) throw strange("kvs");
  return {
    header: readHeader(answer),
    pairs: kvs.map((one) => readPair(one)),
    more: more === true,
    count: number(count, "count"),
  };
}

export function readWatch(message: Mapping): WatchMessage {
  const { result } = message;
  if (!isMapping(result)) throw strange("result");
  if (result["canceled"] === true) {
    if (number(result["compact_revision"] ?? "0", "compact_revision") > 0)
      return { kind: "compacted" };
    const { cancel_reason: reason } = result;
    return { kind: "canceled", reason: typeof reason === "string" ? reason : "" };
  }
  if (result["created"] === true) return { kind: "created", header: readHeader(result) };
  const { events } = result;
  if (events === undefined) return { kind: "progress", header: readHeader(result) };
  if (!Array.isArray(events)) throw strange("events");
  return { kind: "changes", changes: events.map((event) => readChange(event)) };
}

function readChange(event: unknown): Change {
  if (!isMapping(event)) throw strange("events");
  const { key, value, revision } = readPair(event["kv"]);
  return { key, value: event["type"] === "DELETE" ? undefined : value, revision };
}

export function readHeader({ header }: Mapping): Header {
  if (!isMapping(header)) throw strange("header");
  const { cluster_id: cluster = "0", revision = "0" } = header;
  if (typeof cluster !== "string") throw strange("cluster_id");
  return { cluster, revision: number(revision, "revision") };
}

function readPair(pair: unknown): KeyValue {
  if (!isMapping(pair)) throw strange("kv");
  const { key = "", value = "", mod_revision = "0" } = pair;
  if (typeof key !== "string" || typeof value !== "string") throw strange("kv");
  return {
    key: Buffer.from(key, "base64").toString("utf8"),
    value: Buffer.from(value, "base64").toString("utf8"),
    revision: number(mod_revision, "mod_revision"),
  };
}

function number(written: unknown, name: string): number {
  const value = typeof written === "string" || typeof written === "number" ? Number(written) : -1;
  if (!Number.isSafeInteger(value) || value < 0) throw strange(name);
  return value;
}

export function strange(name: string): StoreFault {
  return new StoreFault("refused", `an answer whose ${name} is not etcd's`);
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
