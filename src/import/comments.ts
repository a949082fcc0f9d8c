/**
 * Where the comments of an old file go: above the key that their option became. What has no key of its
 * own stands above the key that follows it in the old file, together with the word that says why.
 */
import type { Given } from "./argparse.ts";
import type { Entry } from "./entry.ts";
import { nameOf } from "./options.ts";
import type { NewTunnel } from "./tunnel.ts";

export interface Comments {
  /** Lines above the tunnel's name. */
  readonly name: readonly string[];
  readonly of: (entry: Entry) => readonly string[];
  /** Lines behind everything of the tunnel. */
  readonly tail: readonly string[];
}

/** @param others entries outside the tunnel that options of its file became */
export function placeComments(
  given: readonly Given[],
  tunnel: NewTunnel,
  others: readonly Entry[],
): Comments {
  const homes = new Map<Given, Entry | "name">();
  for (const one of tunnel.nameFrom) homes.set(one, "name");
  for (const entry of [...tunnel.entries, ...tunnel.peerEntries, ...others]) {
    for (const one of entry.from) if (!homes.has(one)) homes.set(one, entry);
  }
  const remarks = new Map(tunnel.remarks.map((remark) => [remark.given, remark.text]));
  const placed = new Map<Entry | "name", string[]>();
  let pending: string[] = [];
  for (const one of given) {
    const own = one.comments.map(asComment);
    const remark = remarks.get(one);
    if (remark !== undefined) own.push(` ${nameOf(one.option)}: ${remark}`);
    const home = homes.get(one);
    if (home === undefined) {
      pending.push(...own);
    } else if (home !== "name" && others.includes(home)) {
      // Outside the tunnel nobody would look for a word about one of its options.
      placed.set(home, [...(placed.get(home) ?? []), ...own]);
    } else {
      placed.set(home, [...(placed.get(home) ?? []), ...pending, ...own]);
      pending = [];
    }
  }
  return {
    name: placed.get("name") ?? [],
    of: (entry) => [
      ...(placed.get(entry) ?? []),
      ...(entry.note === undefined ? [] : [` ${entry.note}`]),
    ],
    tail: pending,
  };
}

/**
 * A line as the package `yaml` puts a `#` before it: an empty one would be an empty line, and a character
 * that drives a terminal must not come through.
 */
export function asComment(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return line.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
}
