/**
 * A set's user data as nft writes it (nftables src/mnl.c, src/payload.c; libnftnl udata.h): byte orders,
 * and for keys with raw payload fields the `typeof` without which `nft list ruleset` gives something that
 * `nft -f` refuses. The kernel keeps it unread.
 */
import { endianness } from "node:os";
import { type Hex, toHex } from "./data.ts";
import { PAYLOAD_BASES, type PayloadField } from "./expressions/payload.ts";
import type { Field } from "./objects.ts";

// enum nftnl_udata_set_types
const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;
const KEY_TYPEOF = 3;
const DATA_TYPEOF = 4;
const DATA_INTERVAL = 6;
// enum udata_set_typeof: of one expression
const EXPRESSION = 0;
const DATA = 1;
// enum udata_payload
const PAYLOAD_DESCRIPTION = 0;
const PAYLOAD_TYPE = 1;
const PAYLOAD_BASE = 2;
const PAYLOAD_OFFSET = 3;
const PAYLOAD_LENGTH = 4;
// nftables include/expression.h, include/proto.h, src/proto.c
const EXPR_VERDICT = 1;
const EXPR_PAYLOAD = 7;
const EXPR_CONCAT = 13;
const PROTO_DESC_UNKNOWN = 0;
const PROTO_DESC_IP = 12;
const IPHDR_SADDR = 11;
const IPHDR_DADDR = 12;
// enum byteorder; a concatenation has none
const HOST_ENDIAN = 1;
const BIG_ENDIAN = 2;

/** A field of the IP header has a name of its own; any other is raw. */
const NAMES: ReadonlyMap<string, number> = new Map([
  ["network 12 4", IPHDR_SADDR],
  ["network 16 4", IPHDR_DADDR],
]);

/** For a set (or map, with `data`) whose fields have named types. */
export function plainUserdata(key: readonly Field[], data: Field | undefined): Hex {
  const [only, ...more] = key;
  const order = only === undefined || more.length > 0 ? 0 : byteOrder(only);
  return toHex(
    Buffer.concat([
      item(KEY_BYTE_ORDER, number(order)),
      ...(data === undefined ? [] : [item(DATA_BYTE_ORDER, number(byteOrder(data)))]),
      // A typeof without fields, as nft has it for a concatenation of types.
      ...(more.length > 0 ? [item(KEY_TYPEOF, expression(EXPR_CONCAT, Buffer.alloc(0)))] : []),
      ...(data === undefined ? [] : [item(DATA_INTERVAL, number(0))]),
    ]),
  );
}

/** For a set (or verdict map) whose key is these fields of the packet. */
export function typeofUserdata(key: readonly PayloadField[], verdicts: boolean): Hex {
  const fields = key.map((field, i) => item(i, expression(EXPR_PAYLOAD, payload(field))));
  const concatenation = expression(EXPR_CONCAT, Buffer.concat(fields));
  return toHex(
    Buffer.concat([
      item(KEY_BYTE_ORDER, number(0)),
      ...(verdicts ? [item(DATA_BYTE_ORDER, number(0))] : []),
      item(KEY_TYPEOF, concatenation),
      ...(verdicts ? [item(DATA_TYPEOF, expression(EXPR_VERDICT, Buffer.alloc(0)))] : []),
      ...(verdicts ? [item(DATA_INTERVAL, number(0))] : []),
    ]),
  );
}

function byteOrder({ type }: Field): number {
  if (type === "verdict") return 0;
  return type === "ifname" || type === "mark" ? HOST_ENDIAN : BIG_ENDIAN;
}

function expression(type: number, data: Buffer): Buffer {
  return Buffer.concat([item(EXPRESSION, number(type)), item(DATA, data)]);
}

function payload({ base, offset, length }: PayloadField): Buffer {
  const name = NAMES.get(`${base} ${offset} ${length}`);
  if (name !== undefined) {
    return Buffer.concat([
      item(PAYLOAD_DESCRIPTION, number(PROTO_DESC_IP)),
      item(PAYLOAD_TYPE, number(name)),
    ]);
  }
  return Buffer.concat([
    item(PAYLOAD_DESCRIPTION, number(PROTO_DESC_UNKNOWN)),
    item(PAYLOAD_TYPE, number(0)),
    // enum proto_bases begins with PROTO_BASE_INVALID: one more than the kernel's.
    item(PAYLOAD_BASE, number(PAYLOAD_BASES[base] + 1)),
    item(PAYLOAD_OFFSET, number(offset * 8)),
    item(PAYLOAD_LENGTH, number(length * 8)),
  ]);
}

/** Type, length, value. */
function item(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length]), value]);
}

/** Host order. */
function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  if (endianness() === "LE") bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
}
