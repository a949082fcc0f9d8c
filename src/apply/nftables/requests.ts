/**
 * Changes as messages, in an order in which the kernel takes them, and cut into batches. Wherever it is
 * cut, no packet gets in between two batches that would not get in before or after. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import { deleteChain, newChain } from "../../kernel/nftables/chain.ts";
import { deleteElements, elementBytes, newElements } from "../../kernel/nftables/element.ts";
import { ExpressionEncoder } from "../../kernel/nftables/expression.ts";
import type {
  Chain,
  Element,
  NftObject,
  NftSet,
  Rule,
  TableName,
} from "../../kernel/nftables/objects.ts";
import { flushChain, newRule } from "../../kernel/nftables/rule.ts";
import { deleteSet, newSet } from "../../kernel/nftables/set.ts";
import { deleteTable, newTable } from "../../kernel/nftables/table.ts";
import type { Request } from "../../netlink/request.ts";
import { setsOf } from "./chains.ts";
import type { NftChange } from "./nft-change.ts";
import { tableNamed } from "./ruleset.ts";

/** The list of elements is one attribute: 65,535 bytes with all that is in it. */
const ELEMENT_BYTES = 60_000;
const MOST_ELEMENTS = 1500;
/** Bytes of one batch unless said otherwise: one datagram, so less than the send buffer. */
const BATCH_BYTES = 1_000_000;

/** Each list is one transaction: the requests between batch begin and end. None where nothing changes. */
export function batches(changes: readonly NftChange[], batchBytes = BATCH_BYTES): Request[][] {
  const [first] = changes;
  if (first === undefined) return [];
  const table = tableNamed(first.table);
  const goes = changes.some(({ action, object }) => action === "remove" && object.kind === "table");
  if (goes) return [[deleteTable(table)]];
  return pack(groups(table, changes), batchBytes);
}

/** What must stand in one batch. */
type Group = readonly Request[];

function groups(table: TableName, changes: readonly NftChange[]): Group[] {
  const sorted = sort(changes);
  const all: Group[] = [];
  const each = <T>(objects: readonly T[], make: (object: T) => Request): void => {
    for (const object of objects) all.push([make(object)]);
  };
  each(sorted.tables, (object) => newTable(table.family, object));
  const encoder = new ExpressionEncoder();
  each(sorted.newSets, (set) => newSet(table, set, encoder));
  each(sorted.newChains, (chain) => newChain(table, chain));
  const replacement = replace(table, sorted, encoder);
  if (replacement.length > 0) all.push(replacement);
  // A chain's rules go and come in one transaction: an empty chain would let packets through.
  for (const chain of sorted.newChains) all.push(rules(table, chain, encoder));
  for (const { chain } of sorted.changedChains.filter(
    (changed) => !isInReplacement(changed, sorted),
  )) {
    all.push([flushChain(table, chain.name), ...rules(table, chain, encoder)]);
  }
  all.push(...removeElements(table, sorted.goneElements));
  all.push(...changeElements(table, sorted.changedElements));
  all.push(...addElements(table, sorted.newElements));
  const removal = [
    ...sorted.goneChains.map(({ name }) => flushChain(table, name)),
    ...sorted.goneSets.map(({ name }) => deleteSet(table, name)),
    ...sorted.goneChains.map(({ name }) => deleteChain(table, name)),
  ];
  for (const request of removal) all.push([request]);
  return all;
}

interface ChangedChain {
  readonly chain: Chain;
  readonly previous: Chain;
}

interface Sorted {
  readonly tables: Extract<NftObject, { kind: "table" }>[];
  readonly newSets: NftSet[];
  readonly changedSets: NftSet[];
  readonly goneSets: NftSet[];
  readonly newChains: Chain[];
  readonly changedChains: ChangedChain[];
  readonly goneChains: Chain[];
  readonly newElements: Element[];
  readonly changedElements: { readonly element: Element; readonly previous: Element }[];
  readonly goneElements: Element[];
}

function sort(changes: readonly NftChange[]): Sorted {
  const sorted: Sorted = {
    tables: [],
    newSets: [],
    changedSets: [],
    goneSets: [],
    newChains: [],
    changedChains: [],
    goneChains: [],
    newElements: [],
    changedElements: [],
    goneElements: [],
  };
  for (const { action, object, previous } of changes) {
    switch (object.kind) {
      case "table":
        sorted.tables.push(object);
        break;
      case "set":
        if (action === "add") sorted.newSets.push(object);
        else if (action === "change") sorted.changedSets.push(object);
        else sorted.goneSets.push(object);
        break;
      case "chain":
        if (action === "add") sorted.newChains.push(object);
        else if (action === "remove") sorted.goneChains.push(object);
        else if (previous?.kind === "chain") sorted.changedChains.push({ chain: object, previous });
        break;
      case "element":
        if (action === "add") sorted.newElements.push(object);
        else if (action === "remove") sorted.goneElements.push(object);
        else if (previous?.kind === "element") {
          sorted.changedElements.push({ element: object, previous });
        }
        break;
    }
  }
  return sorted;
}

/** Stands in for the rules of a chain that goes later. */
const closed: Rule = {
  expressions: [{ kind: "verdict", verdict: { code: "drop" } }],
  comment: undefined,
};

/** Sets that are replaced, base chains that are hooked elsewhere, and all rules that stand in their way. */
function replace(table: TableName, sorted: Sorted, encoder: ExpressionEncoder): Request[] {
  const involved = sorted.changedChains.filter((changed) => isInReplacement(changed, sorted));
  const moved = involved.filter(isMoved);
  const names = new Set(sorted.changedSets.map(({ name }) => name));
  const leaving = sorted.goneChains.filter((chain) => uses(chain, names));
  return [
    ...involved.map(({ chain }) => flushChain(table, chain.name)),
    ...leaving.flatMap(({ name }) => [flushChain(table, name), newRule(table, name, closed)]),
    ...sorted.changedSets.flatMap((set) => [
      deleteSet(table, set.name),
      newSet(table, set, encoder),
    ]),
    ...moved.flatMap(({ chain }) => [deleteChain(table, chain.name), newChain(table, chain)]),
    ...involved.flatMap(({ chain }) => rules(table, chain, encoder)),
  ];
}

function isInReplacement(changed: ChangedChain, { changedSets }: Sorted): boolean {
  if (isMoved(changed)) return true;
  const names = new Set(changedSets.map(({ name }) => name));
  return names.size > 0 && [changed.chain, changed.previous].some((chain) => uses(chain, names));
}

function isMoved({ chain, previous }: ChangedChain): boolean {
  return !isDeepStrictEqual(chain.base, previous.base) || chain.comment !== previous.comment;
}

function uses(chain: Chain, sets: ReadonlySet<string>): boolean {
  return setsOf(chain).some((name) => sets.has(name));
}

function rules(table: TableName, chain: Chain, encoder: ExpressionEncoder): Request[] {
  return chain.rules.map((rule) => newRule(table, chain.name, rule, encoder));
}

/** One that could have expired meanwhile is added first: removing what is not there fails the batch. */
function removeElements(table: TableName, elements: readonly Element[]): Group[] {
  return chunks(elements, (element) => element).flatMap(({ set, items }) => [
    [
      ...packed(items.filter(expires), (some) => newElements(table, set, some.map(withoutRest))),
      deleteElements(table, set, items),
    ],
  ]);
}

/**
 * Add, delete, add: refreshing a timeout by adding again works on no kernel before 6.12. The first add is
 * for elements that could have expired.
 */
function changeElements(table: TableName, elements: Sorted["changedElements"]): Group[] {
  return chunks(elements, ({ element }) => element).map(({ set, items }) => {
    const previous = items.map((item) => item.previous);
    return [
      ...packed(previous.filter(expires), (some) => newElements(table, set, some.map(withoutRest))),
      deleteElements(table, set, previous),
      newElements(
        table,
        set,
        items.map(({ element }) => element),
      ),
    ];
  });
}

function addElements(table: TableName, elements: readonly Element[]): Group[] {
  return chunks(elements, (element) => element).map(({ set, items }) => [
    newElements(table, set, items),
  ]);
}

const expires = ({ timeout }: Element): boolean => timeout > 0;
const withoutRest = (element: Element): Element => ({ ...element, expires: undefined });

function packed<T>(items: readonly T[], make: (items: readonly T[]) => Request): Request[] {
  return items.length === 0 ? [] : [make(items)];
}

/** By set, and as many as one message takes. */
function chunks<T>(
  items: readonly T[],
  elementOf: (item: T) => Element,
): { set: string; items: T[] }[] {
  const open = new Map<string, { items: T[]; bytes: number }>();
  const all: { set: string; items: T[] }[] = [];
  for (const item of items) {
    const element = elementOf(item);
    const bytes = elementBytes(element);
    let chunk = open.get(element.set);
    if (
      chunk === undefined ||
      chunk.bytes + bytes > ELEMENT_BYTES ||
      chunk.items.length >= MOST_ELEMENTS
    ) {
      chunk = { items: [], bytes: 0 };
      open.set(element.set, chunk);
      all.push({ set: element.set, items: chunk.items });
    }
    chunk.items.push(item);
    chunk.bytes += bytes;
  }
  return all;
}

/** nlmsghdr; messages are padded to 4 bytes. */
const MESSAGE_HEADER = 16;

function pack(all: readonly Group[], batchBytes: number): Request[][] {
  const result: Request[][] = [];
  let current: Request[] = [];
  let bytes = 0;
  for (const group of all) {
    const size = group.reduce(
      (total, { payload }) => total + MESSAGE_HEADER + ((payload.length + 3) & ~3),
      0,
    );
    if (current.length > 0 && bytes + size > batchBytes) {
      result.push(current);
      current = [];
      bytes = 0;
    }
    current.push(...group);
    bytes += size;
  }
  if (current.length > 0) result.push(current);
  return result;
}
