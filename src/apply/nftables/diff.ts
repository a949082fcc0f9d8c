/**
 * What differs between the table that we want and the one that is there. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import type { Element, NftObject, NftSet } from "../../kernel/nftables/objects.ts";
import { setsOf } from "./chains.ts";
import { isDefragmentation } from "./defragment.ts";
import { withoutHash } from "./heartbeats.ts";
import { tunnelOf } from "./names.ts";
import type { NftChange } from "./nft-change.ts";

/** The kernel counts timeouts in ticks of up to 10 ms. */
const TICK = 10;

/** Of the table of this name, or of parts: what one peer had ({@link peerObjects}) and has now. */
export function diffRuleset(
  table: string,
  desired: readonly NftObject[],
  observed: readonly NftObject[],
): NftChange[] {
  const gone = observed.find(({ kind }) => kind === "table");
  if (gone !== undefined && !desired.some(({ kind }) => kind === "table")) {
    // All that is in it goes with it.
    return [change(table, "remove", gone, undefined, new Map())];
  }
  if (observed.length === 0) {
    const sets = setsByName(desired);
    return desired.map((object) => change(table, "add", object, undefined, sets));
  }
  const there = new Map(observed.map((object) => [keyOf(object), object]));
  const wanted = new Set<string>();
  const replaced = replacedSets(desired, there);
  const sets = setsByName(observed, desired);
  const changes: NftChange[] = [];
  const note = (action: NftChange["action"], object: NftObject, previous?: NftObject): void => {
    changes.push(change(table, action, object, previous, sets));
  };
  for (const object of desired) {
    const key = keyOf(object);
    wanted.add(key);
    const previous = there.get(key);
    if (previous === undefined) note("add", object);
    else if (object.kind === "element" && replaced.has(object.set)) note("add", object, previous);
    else if (object.kind === "chain" && usesAny(previous, replaced))
      note("change", object, previous);
    else if (!isSame(object, previous)) note("change", object, previous);
  }
  for (const object of observed) {
    // A replaced set takes its elements with it.
    if (object.kind === "element" && replaced.has(object.set)) continue;
    if (!wanted.has(keyOf(object))) note("remove", object);
  }
  return changes;
}

/** A proof was renewed: the timeouts of these objects' elements start again. Nothing where none expires. */
export function renewal(table: string, objects: readonly NftObject[]): NftChange[] {
  return objects
    .filter((object): object is Element => object.kind === "element" && object.timeout > 0)
    .map((object) => change(table, "change", object, { ...object, expires: undefined }, new Map()));
}

export interface Times {
  readonly before: NftChange[];
  readonly after: NftChange[];
}

/**
 * What must be in the gate before listeners and devices change (guards, chains, sets; peers that go),
 * and what only after (peers that come, or packets would meet no listener and draw an ICMP error; guards
 * that go).
 */
export function beforeAndAfter(changes: readonly NftChange[]): Times {
  const before: NftChange[] = [];
  const after: NftChange[] = [];
  for (const it of changes) {
    // Elements that belong to all say which ports are guarded: they go with the chains.
    const element = it.object.kind === "element" && it.tunnel !== null;
    const again = it.action === "add" && it.previous !== undefined;
    const early = element ? it.action === "remove" || again : it.action !== "remove";
    (early ? before : after).push(it);
  }
  return { before, after };
}

function change(
  table: string,
  action: NftChange["action"],
  object: NftObject,
  previous: NftObject | undefined,
  sets: ReadonlyMap<string, NftSet>,
): NftChange {
  const name = object.kind === "element" ? object.set : object.name;
  return { action, table, tunnel: tunnelOf(name), object, previous, set: sets.get(name) };
}

function keyOf(object: NftObject): string {
  switch (object.kind) {
    case "table":
      return "table";
    case "element":
      return `element ${object.set} ${object.key}`;
    default:
      return `${object.kind} ${object.name}`;
  }
}

function isSame(a: NftObject, b: NftObject): boolean {
  // The kernel can't change a table's comment: that of another version stays.
  if (a.kind === "table") return b.kind === "table";
  if (isDefragmentation(a) && isDefragmentation(b)) return true;
  // A kernel without hashes has it without, and would refuse the other again.
  const simpler = withoutHash(a);
  if (simpler !== a && isDeepStrictEqual(simpler, b)) return true;
  if (a.kind !== "element" || b.kind !== "element") return isDeepStrictEqual(a, b);
  return Math.abs(a.timeout - b.timeout) <= TICK && sameData(a.data, b.data);
}

function sameData(a: Element["data"], b: Element["data"]): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

/** The kernel changes no set in place. */
function replacedSets(
  desired: readonly NftObject[],
  there: ReadonlyMap<string, NftObject>,
): Set<string> {
  const names = new Set<string>();
  for (const object of desired) {
    if (object.kind !== "set") continue;
    const previous = there.get(keyOf(object));
    if (previous !== undefined && !isSame(object, previous)) names.add(object.name);
  }
  return names;
}

/** A set in use can't be removed, so the rules that use it go and come with it. */
function usesAny(chain: NftObject, sets: ReadonlySet<string>): boolean {
  return sets.size > 0 && chain.kind === "chain" && setsOf(chain).some((name) => sets.has(name));
}

function setsByName(...lists: readonly (readonly NftObject[])[]): Map<string, NftSet> {
  const sets = new Map<string, NftSet>();
  for (const list of lists) {
    for (const object of list) if (object.kind === "set") sets.set(object.name, object);
  }
  return sets;
}
