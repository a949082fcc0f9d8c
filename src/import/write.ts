/** The new configuration as text. */
import { Document, Pair, Scalar, YAMLMap } from "yaml";
import { asComment, type Comments } from "./comments.ts";
import type { Entry } from "./entry.ts";
import type { NewTunnel } from "./tunnel.ts";
import type { Whole } from "./whole.ts";
import type { OldFile } from "./words.ts";

export interface TunnelToWrite {
  /** As it was named. */
  readonly source: string;
  readonly file: Pick<OldFile, "head" | "tail">;
  readonly tunnel: NewTunnel;
  readonly comments: Comments;
}

/** @param head lines at the top */
export function writeYaml(
  head: readonly string[],
  tunnels: readonly TunnelToWrite[],
  whole: Whole,
): string {
  const root = new YAMLMap();
  const ofWhole = (entry: Entry): readonly string[] => {
    const own = tunnels.flatMap(({ comments }) => comments.of(entry));
    // Each tunnel gives the entry's own note.
    return [...new Set(own)];
  };
  const all = new YAMLMap();
  for (const [i, one] of tunnels.entries()) {
    const pair = tunnelPair(one, tunnels.length > 1);
    if (i > 0 && pair.key instanceof Scalar) pair.key.spaceBefore = true;
    all.items.push(pair);
  }
  root.items.push(new Pair(key("tunnels"), all));
  if (whole.queue.length > 0) root.items.push(mapping("queue", whole.queue, ofWhole));
  for (const entry of whole.entries) root.items.push(leaf(entry, ofWhole));
  root.items.push(mapping("log", whole.log, ofWhole));
  for (const { key: name } of root.items.slice(1)) {
    if (name instanceof Scalar) name.spaceBefore = true;
  }
  const document = new Document(root);
  document.commentBefore = head.map((line) => ` ${line}`).join("\n");
  if (whole.hints.length > 0) document.comment = lines(whole.hints.map((hint) => ` ${hint}`));
  return `${document.toString({ lineWidth: 0 }).trimEnd()}\n`;
}

function tunnelPair({ source, file, tunnel, comments }: TunnelToWrite, several: boolean) {
  const peer = new YAMLMap();
  for (const entry of tunnel.peerEntries) peer.items.push(leaf(entry, comments.of));
  peer.comment = lines(tunnel.hints.map((hint) => ` ${hint}`));
  const peers = new YAMLMap();
  peers.items.push(new Pair(key(tunnel.peerName), peer));
  const map = new YAMLMap();
  for (const entry of tunnel.entries) map.items.push(leaf(entry, comments.of));
  map.items.push(new Pair(key("peers"), peers));
  const tail = [...comments.tail, ...file.tail.map(asComment)];
  if (tail.length > 0) map.comment = lines(tail);
  const above = [
    ...(several ? [` From ${asComment(source)}`] : []),
    ...file.head.map(asComment),
    ...comments.name,
  ];
  return new Pair(key(tunnel.name, above), map);
}

function mapping(
  name: string,
  entries: readonly Entry[],
  commentsOf: (entry: Entry) => readonly string[],
): Pair {
  const map = new YAMLMap();
  for (const entry of entries) map.items.push(leaf(entry, commentsOf));
  return new Pair(key(name), map);
}

function leaf(entry: Entry, commentsOf: (entry: Entry) => readonly string[]): Pair {
  return new Pair(key(entry.key, commentsOf(entry)), nodeOf(entry.value));
}

function key(name: string, comments: readonly string[] = []): Scalar {
  const scalar = new Scalar(name);
  if (comments.length > 0) scalar.commentBefore = lines(comments);
  return scalar;
}

/** Texts in quotes, all of them: what looks like a number, or like nothing at all, may be a secret. */
function nodeOf(value: Entry["value"]): Scalar | YAMLMap {
  if (typeof value === "object") {
    const map = new YAMLMap();
    map.flow = true;
    for (const [name, text] of Object.entries(value)) map.items.push(new Pair(key(name), text));
    return map;
  }
  const scalar = new Scalar(value);
  if (typeof value === "string" && !plain.test(value)) scalar.type = "QUOTE_DOUBLE";
  return scalar;
}

/** `none` and durations. */
const plain = /^(?:none|\d+s|error|warning|info|debug)$/;

/** For the package: it puts a `#` before each line that is not empty. */
function lines(texts: readonly string[]): string {
  return texts.map((text) => (text === "" ? " " : text)).join("\n");
}
