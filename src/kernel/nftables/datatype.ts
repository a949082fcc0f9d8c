/**
 * nft's numbers for data types (nftables include/datatype.h): the kernel only hands them back, and nft
 * prints elements by them. The number of a concatenation has 6 bits for each field, the last one lowest.
 */
import {
  NFT_DATA_VERDICT,
  TYPE_BITS,
  TYPE_IFNAME,
  TYPE_INET_PROTOCOL,
  TYPE_INET_SERVICE,
  TYPE_INTEGER,
  TYPE_INVALID,
  TYPE_IPADDR,
  TYPE_MARK,
  TYPE_VERDICT,
} from "./constants.ts";
import type { Field, FieldType } from "./objects.ts";
import { paddedBytes } from "./registers.ts";

const NUMBERS: Readonly<Record<FieldType, number>> = {
  ipv4_addr: TYPE_IPADDR,
  inet_service: TYPE_INET_SERVICE,
  inet_proto: TYPE_INET_PROTOCOL,
  ifname: TYPE_IFNAME,
  mark: TYPE_MARK,
  integer: TYPE_INTEGER,
  verdict: TYPE_VERDICT,
  other: TYPE_INVALID,
};

const MASK = (1 << TYPE_BITS) - 1;

export function typeNumber(fields: readonly Field[]): number {
  return fields.reduce((number, { type }) => ((number << TYPE_BITS) | NUMBERS[type]) >>> 0, 0);
}

/** Bytes of each; an integer in a key of several has 4, as all raw fields of ours have. */
const BYTES: Readonly<Record<FieldType, number>> = {
  ipv4_addr: 4,
  inet_service: 2,
  inet_proto: 1,
  ifname: 16,
  mark: 4,
  integer: 4,
  verdict: 0,
  other: 0,
};

/** The fields of a key of so many bytes; one that doesn't fit its type number is a single "other". */
export function fieldsOf(number: number, keyBytes: number): Field[] {
  if (number <= MASK) return [{ type: typeOf(number), bytes: keyBytes }];
  const fields: Field[] = [];
  for (let rest = number; rest > 0; rest >>>= TYPE_BITS) {
    const type = typeOf(rest & MASK);
    fields.unshift({ type, bytes: BYTES[type] });
  }
  const bytes = fields.reduce((total, field) => total + paddedBytes(field.bytes), 0);
  return bytes === keyBytes ? fields : [{ type: "other", bytes: keyBytes }];
}

/** NFTA_SET_DATA_TYPE: the kernel wants its own number for verdicts. */
export function dataTypeNumber({ type }: Field): number {
  return type === "verdict" ? NFT_DATA_VERDICT : NUMBERS[type];
}

export function dataField(number: number, bytes: number): Field {
  return number === NFT_DATA_VERDICT
    ? { type: "verdict", bytes: 0 }
    : { type: typeOf(number), bytes };
}

function typeOf(number: number): FieldType {
  for (const [type, its] of Object.entries(NUMBERS)) if (its === number) return type as FieldType;
  return "other";
}
