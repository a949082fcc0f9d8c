/** Sets and maps, without their elements. */
import {
  attr,
  bytes,
  encoded,
  nested,
  string,
  table,
  u32be,
  u64be,
} from "../../netlink/attributes.ts";
import { NLM_F_CREATE } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NFT_MSG_DELSET,
  NFT_MSG_GETSET,
  NFT_MSG_NEWSET,
  NFT_SET_EVAL,
  NFT_SET_EXPR,
  NFT_SET_INTERVAL,
  NFT_SET_MAP,
  NFT_SET_TIMEOUT,
  NFTA_SET_DATA_LEN,
  NFTA_SET_DATA_TYPE,
  NFTA_SET_DESC,
  NFTA_SET_DESC_SIZE,
  NFTA_SET_EXPR,
  NFTA_SET_EXPRESSIONS,
  NFTA_SET_FLAGS,
  NFTA_SET_ID,
  NFTA_SET_KEY_LEN,
  NFTA_SET_KEY_TYPE,
  NFTA_SET_NAME,
  NFTA_SET_TABLE,
  NFTA_SET_TIMEOUT,
  NFTA_SET_USERDATA,
} from "./constants.ts";
import { toHex } from "./data.ts";
import { dataField, dataTypeNumber, fieldsOf, typeNumber } from "./datatype.ts";
import { ExpressionEncoder } from "./expression.ts";
import { stateful, statefulList } from "./expressions/stateful.ts";
import { dumpRequest, familyOf, HEADER_BYTES, numberOf, request } from "./message.ts";
import type { NftSet, TableName } from "./objects.ts";
import { paddedBytes } from "./registers.ts";
import { required } from "./required.ts";

const DESCRIPTION = table({ size: attr(NFTA_SET_DESC_SIZE, u32be, "NFTA_SET_DESC_SIZE") });

const SET = table({
  table: attr(NFTA_SET_TABLE, string, "NFTA_SET_TABLE"),
  name: attr(NFTA_SET_NAME, string, "NFTA_SET_NAME"),
  flags: attr(NFTA_SET_FLAGS, u32be, "NFTA_SET_FLAGS"),
  keyType: attr(NFTA_SET_KEY_TYPE, u32be, "NFTA_SET_KEY_TYPE"),
  keyLength: attr(NFTA_SET_KEY_LEN, u32be, "NFTA_SET_KEY_LEN"),
  dataType: attr(NFTA_SET_DATA_TYPE, u32be, "NFTA_SET_DATA_TYPE"),
  dataLength: attr(NFTA_SET_DATA_LEN, u32be, "NFTA_SET_DATA_LEN"),
  description: attr(NFTA_SET_DESC, nested(DESCRIPTION), "NFTA_SET_DESC"),
  id: attr(NFTA_SET_ID, u32be, "NFTA_SET_ID"),
  timeout: attr(NFTA_SET_TIMEOUT, u64be, "NFTA_SET_TIMEOUT"),
  userdata: attr(NFTA_SET_USERDATA, bytes, "NFTA_SET_USERDATA"),
  expression: attr(NFTA_SET_EXPR, stateful, "NFTA_SET_EXPR"),
  expressions: attr(NFTA_SET_EXPRESSIONS, statefulList, "NFTA_SET_EXPRESSIONS"),
});

/** The same for writing. */
const NEW_SET = table({
  ...SET.attributes,
  expression: attr(NFTA_SET_EXPR, encoded, "NFTA_SET_EXPR"),
  expressions: attr(NFTA_SET_EXPRESSIONS, encoded, "NFTA_SET_EXPRESSIONS"),
});

export function newSet(table: TableName, set: NftSet, encoder = new ExpressionEncoder()): Request {
  const { key, data } = set;
  const [expression, ...more] = set.expressions;
  const several = more.length > 0;
  const payload = NEW_SET.encode(
    {
      table: table.name,
      name: set.name,
      flags: flagsOf(set),
      keyType: typeNumber(key),
      keyLength: keyBytes(set),
      dataType: data && dataTypeNumber(data),
      dataLength: data?.bytes,
      // Only names a set within its own batch; the kernel insists on having one.
      id: 1,
      description: set.size > 0 ? { size: set.size } : undefined,
      timeout: set.defaultTimeout > 0 ? BigInt(set.defaultTimeout) : undefined,
      userdata: set.userdata === "" ? undefined : Buffer.from(set.userdata, "hex"),
      expression: several || expression === undefined ? undefined : encoder.single(expression),
      expressions: several ? encoder.encode(set.expressions) : undefined,
    },
    HEADER_BYTES,
  );
  const operation = `NFT_MSG_NEWSET ${table.name} ${set.name}`;
  return request(operation, NFT_MSG_NEWSET, NLM_F_CREATE, table.family, payload);
}

/** With its elements; EBUSY while a rule uses it. */
export function deleteSet(table: TableName, name: string): Request {
  const payload = SET.encode({ table: table.name, name }, HEADER_BYTES);
  const operation = `NFT_MSG_DELSET ${table.name} ${name}`;
  return request(operation, NFT_MSG_DELSET, 0, table.family, payload);
}

export function dumpSets({ family, name }: TableName): Request {
  const payload = SET.encode({ table: name }, HEADER_BYTES);
  return dumpRequest(`NFT_MSG_GETSET ${name}`, NFT_MSG_GETSET, family, payload);
}

/** undefined for other messages and other tables. */
export function decodeSet(table: TableName, message: Message): NftSet | undefined {
  if (numberOf(message) !== NFT_MSG_NEWSET || familyOf(message) !== table.family) return undefined;
  const values = SET.decode(message.payload, HEADER_BYTES);
  if (values.table !== table.name) return undefined;
  const flags = values.flags ?? 0;
  const keyLength = required(values.keyLength, "NFTA_SET_KEY_LEN");
  const single = values.expression === undefined ? [] : [values.expression];
  return {
    kind: "set",
    name: required(values.name, "NFTA_SET_NAME"),
    key: fieldsOf(values.keyType ?? 0, keyLength),
    data:
      (flags & NFT_SET_MAP) !== 0
        ? dataField(values.dataType ?? 0, values.dataLength ?? 0)
        : undefined,
    timeouts: (flags & NFT_SET_TIMEOUT) !== 0,
    defaultTimeout: Number(values.timeout ?? 0n),
    dynamic: (flags & NFT_SET_EVAL) !== 0,
    size: values.description?.size ?? 0,
    expressions: values.expressions ?? single,
    userdata: toHex(values.userdata ?? Buffer.alloc(0)),
  };
}

/** Whether the elements are bounds of intervals; of anybody's set. */
export function holdsIntervals(message: Message): boolean {
  return ((SET.decode(message.payload, HEADER_BYTES).flags ?? 0) & NFT_SET_INTERVAL) !== 0;
}

function keyBytes({ key }: NftSet): number {
  const [only, ...more] = key;
  if (only !== undefined && more.length === 0) return only.bytes;
  return key.reduce((total, { bytes }) => total + paddedBytes(bytes), 0);
}

function flagsOf(set: NftSet): number {
  return (
    (set.data === undefined ? 0 : NFT_SET_MAP) |
    (set.timeouts ? NFT_SET_TIMEOUT : 0) |
    (set.dynamic ? NFT_SET_EVAL : 0) |
    (set.expressions.length > 1 ? NFT_SET_EXPR : 0)
  );
}
