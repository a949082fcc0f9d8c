/** Elements of sets and maps. */
import { attr, listOf, nested, string, table, u32be, u64be } from "../../netlink/attributes.ts";
import { NLM_F_CREATE } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NFT_MSG_DELSETELEM,
  NFT_MSG_GETSETELEM,
  NFT_MSG_NEWSETELEM,
  NFT_SET_ELEM_INTERVAL_END,
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM_DATA,
  NFTA_SET_ELEM_EXPIRATION,
  NFTA_SET_ELEM_EXPR,
  NFTA_SET_ELEM_EXPRESSIONS,
  NFTA_SET_ELEM_FLAGS,
  NFTA_SET_ELEM_KEY,
  NFTA_SET_ELEM_KEY_END,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_SET_ELEM_LIST_SET,
  NFTA_SET_ELEM_LIST_TABLE,
  NFTA_SET_ELEM_TIMEOUT,
} from "./constants.ts";
import { type Data, data, type Hex, value } from "./data.ts";
import { stateful, statefulList } from "./expressions/stateful.ts";
import { dumpRequest, familyOf, HEADER_BYTES, numberOf, request } from "./message.ts";
import type { Element, TableName } from "./objects.ts";
import { paddedBytes } from "./registers.ts";

const ELEMENT = table({
  flags: attr(NFTA_SET_ELEM_FLAGS, u32be, "NFTA_SET_ELEM_FLAGS"),
  timeout: attr(NFTA_SET_ELEM_TIMEOUT, u64be, "NFTA_SET_ELEM_TIMEOUT"),
  expiration: attr(NFTA_SET_ELEM_EXPIRATION, u64be, "NFTA_SET_ELEM_EXPIRATION"),
  key: attr(NFTA_SET_ELEM_KEY, value, "NFTA_SET_ELEM_KEY"),
  data: attr(NFTA_SET_ELEM_DATA, data, "NFTA_SET_ELEM_DATA"),
  expression: attr(NFTA_SET_ELEM_EXPR, stateful, "NFTA_SET_ELEM_EXPR"),
  keyEnd: attr(NFTA_SET_ELEM_KEY_END, value, "NFTA_SET_ELEM_KEY_END"),
  expressions: attr(NFTA_SET_ELEM_EXPRESSIONS, statefulList, "NFTA_SET_ELEM_EXPRESSIONS"),
});

const LIST = table({
  set: attr(NFTA_SET_ELEM_LIST_SET, string, "NFTA_SET_ELEM_LIST_SET"),
  table: attr(NFTA_SET_ELEM_LIST_TABLE, string, "NFTA_SET_ELEM_LIST_TABLE"),
  elements: attr(
    NFTA_SET_ELEM_LIST_ELEMENTS,
    listOf(attr(NFTA_LIST_ELEM, nested(ELEMENT), "NFTA_LIST_ELEM")),
    "NFTA_SET_ELEM_LIST_ELEMENTS",
  ),
});

/** Bytes that an element takes in a message: the list of them is one attribute of at most 65,535. */
export function elementBytes({ key, data, timeout }: Element): number {
  const ofKey = 12 + paddedBytes(key.length / 2);
  const ofData = data === undefined ? 0 : dataBytes(data);
  return ofKey + ofData + (timeout > 0 ? 24 : 0);
}

function dataBytes(data: Data): number {
  if (typeof data === "string") return 8 + paddedBytes(data.length / 2);
  return 16 + ("chain" in data ? 4 + paddedBytes(Buffer.byteLength(data.chain) + 1) : 0);
}

/** All of one set. Those that exist stay as they are (EEXIST where a map's data differs). */
export function newElements(table: TableName, set: string, elements: readonly Element[]): Request {
  const list = elements.map(({ key, data, timeout, expires }) => ({
    timeout: timeout > 0 ? BigInt(timeout) : undefined,
    expiration:
      timeout > 0 && expires !== undefined && expires < timeout
        ? BigInt(Math.max(1, Math.round(expires)))
        : undefined,
    key,
    data,
  }));
  const payload = LIST.encode({ set, table: table.name, elements: list }, HEADER_BYTES);
  const operation = `NFT_MSG_NEWSETELEM ${table.name} ${set}`;
  return request(operation, NFT_MSG_NEWSETELEM, NLM_F_CREATE, table.family, payload);
}

/** ENOENT where one is not there: the whole batch fails. */
export function deleteElements(
  table: TableName,
  set: string,
  elements: readonly Element[],
): Request {
  const list = elements.map(({ key }) => ({ key }));
  const payload = LIST.encode({ set, table: table.name, elements: list }, HEADER_BYTES);
  const operation = `NFT_MSG_DELSETELEM ${table.name} ${set}`;
  return request(operation, NFT_MSG_DELSETELEM, 0, table.family, payload);
}

export function dumpElements({ family, name }: TableName, set: string): Request {
  const payload = LIST.encode({ set, table: name }, HEADER_BYTES);
  return dumpRequest(`NFT_MSG_GETSETELEM ${name} ${set}`, NFT_MSG_GETSETELEM, family, payload);
}

/** A message has many; none for other messages and other tables. */
export function decodeElements(table: TableName, message: Message): Element[] {
  if (numberOf(message) !== NFT_MSG_NEWSETELEM || familyOf(message) !== table.family) return [];
  const values = LIST.decode(message.payload, HEADER_BYTES);
  const set = values.set;
  if (values.table !== table.name || set === undefined) return [];
  return (values.elements ?? []).map((element) => {
    const expressions = element.expressions ?? (element.expression ? [element.expression] : []);
    const counter = expressions.find((expression) => expression.kind === "counter");
    return {
      kind: "element",
      set,
      // Without a key: the element for all others (NFT_SET_ELEM_CATCHALL), which we never make.
      key: element.key ?? "",
      data: element.data,
      timeout: Number(element.timeout ?? 0n),
      expires: element.expiration === undefined ? undefined : Number(element.expiration),
      counter: counter && { packets: counter.packets, bytes: counter.bytes },
    };
  });
}

/** An element of anybody's set. In one with intervals: where one begins, or ends (the first that is outside). */
export interface Bound {
  /** undefined: the element for all others. */
  readonly key: Hex | undefined;
  readonly data: Data | undefined;
  readonly ends: boolean;
}

/**
 * The same of a set of somebody else's; undefined where an element is something that we can't read, as an
 * interval of several fields. Throws MalformedMessage for what has no data that we know.
 */
export function decodeBounds(table: TableName, message: Message): Bound[] | undefined {
  if (numberOf(message) !== NFT_MSG_NEWSETELEM || familyOf(message) !== table.family) return [];
  const { table: of, elements = [] } = LIST.decode(message.payload, HEADER_BYTES);
  if (of !== table.name) return [];
  if (elements.some(({ keyEnd }) => keyEnd !== undefined)) return undefined;
  return elements.map(({ key, data: its, flags = 0 }) => {
    return { key, data: its, ends: (flags & NFT_SET_ELEM_INTERVAL_END) !== 0 };
  });
}
