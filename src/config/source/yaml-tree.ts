import { type Alias, isAlias, isMap, isScalar, isSeq } from "yaml";
import { Complaint } from "../complaint.ts";
import { checkName, deepest, givenTwice, mostAliased, tooDeep } from "./limits.ts";

/** A parsed YAML document with its aliases resolved. */
export interface Tree {
  readonly root: unknown;
  readonly value: unknown;
  /** What an alias stands for; any other node itself. */
  target(node: unknown): unknown;
  /** Where a node begins in the text. */
  offsetOf(node: unknown): number;
  /** Nothing is written where a value could be. */
  isEmpty(node: unknown): boolean;
}

/** Something that is valid YAML and still not for us. */
export class YamlFlaw extends Error {
  readonly offset: number;
  readonly complaint: Complaint;

  constructor(offset: number, complaint: Complaint) {
    super(complaint.what);
    this.offset = offset;
    this.complaint = complaint;
  }
}

/** A value, and how many values it is made of with every alias written out. */
interface Plain {
  readonly value: unknown;
  readonly size: number;
}

/**
 * Plain values of a document. An aliased value is made once and shared, so this is linear in the
 * text's length, and its size is known before anybody walks it.
 * @throws YamlFlaw
 */
export function resolveTree(root: unknown, text: string): Tree {
  /** Anchors as they are at this point of the text: a later one of the same name replaces it. */
  const anchors = new Map<string, unknown>();
  const targets = new Map<Alias, unknown>();
  /** What is made of anchored nodes; undefined while it is being made. */
  const anchored = new Map<unknown, Plain | undefined>();
  let aliased = 0;

  const plain = (node: unknown, depth: number): Plain => {
    if (depth > deepest) throw new YamlFlaw(offsetOf(node), tooDeep);
    if (isAlias(node)) return plainAlias(node);
    const anchor = anchorOf(node);
    if (anchor === undefined) return plainNode(node, depth);
    anchors.set(anchor, node);
    anchored.set(node, undefined);
    const made = plainNode(node, depth);
    anchored.set(node, made);
    return made;
  };

  const plainAlias = (alias: Alias): Plain => {
    const target = anchors.get(alias.source);
    if (target === undefined) {
      throw new YamlFlaw(
        offsetOf(alias),
        new Complaint(
          "a text that begins with * is an alias, and nothing has this anchor",
          "put the text in quotes",
        ),
      );
    }
    targets.set(alias, target);
    const made = anchored.get(target);
    if (made === undefined) {
      throw new YamlFlaw(
        offsetOf(alias),
        new Complaint("an alias inside the value that it repeats", "write it out"),
      );
    }
    aliased += made.size;
    if (aliased > mostAliased) {
      throw new YamlFlaw(
        offsetOf(alias),
        new Complaint(
          `aliases repeat more than ${mostAliased} values`,
          "write them out, or generate JSON",
        ),
      );
    }
    return made;
  };

  const plainNode = (node: unknown, depth: number): Plain => {
    if (isScalar(node)) return { value: node.value, size: 1 };
    if (isSeq(node)) {
      let size = 1;
      const value = node.items.map((item) => {
        const made = plain(item, depth + 1);
        size += made.size;
        return made.value;
      });
      return { value, size };
    }
    if (!isMap(node)) return { value: null, size: 1 };
    let size = 1;
    const value: Record<string, unknown> = {};
    const places = new Map<string, number>();
    for (const { key, value: inner } of node.items) {
      const name = nameOf(key);
      const first = places.get(name);
      if (first !== undefined) throw new YamlFlaw(offsetOf(key), givenTwice(text, first));
      places.set(name, offsetOf(key));
      // A missing value is nothing in the tree, and null to who asks for it.
      const made = inner === null ? { value: null, size: 1 } : plain(inner, depth + 1);
      value[name] = made.value;
      size += made.size;
    }
    return { value, size };
  };

  const { value } = plain(root, 0);
  return {
    root,
    value,
    target: (node) => (isAlias(node) ? targets.get(node) : node),
    offsetOf,
    isEmpty: (node) => node === null || (isScalar(node) && node.range?.[0] === node.range?.[1]),
  };
}

function nameOf(key: unknown): string {
  if (!isScalar(key) || typeof key.value !== "string") {
    throw new YamlFlaw(
      offsetOf(key),
      new Complaint("a key that is not text", "write a plain name before the colon"),
    );
  }
  const complaint = key.value === "<<" ? noMergeKeys : checkName(key.value);
  if (complaint !== undefined) throw new YamlFlaw(offsetOf(key), complaint);
  return key.value;
}

const noMergeKeys = new Complaint(
  "merge keys (`<<`) are not YAML 1.2",
  "write the keys out, or repeat a whole value by an alias",
);

function anchorOf(node: unknown): string | undefined {
  return isScalar(node) || isSeq(node) || isMap(node) ? node.anchor : undefined;
}

function offsetOf(node: unknown): number {
  const ranged = isScalar(node) || isSeq(node) || isMap(node) || isAlias(node);
  return (ranged ? node.range?.[0] : undefined) ?? 0;
}
