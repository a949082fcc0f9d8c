/** All expressions that a rule can have, and the list of them as one attribute. */
import {
  type AttributeType,
  attr,
  encoded,
  listOf,
  MalformedMessage,
  table,
} from "../../netlink/attributes.ts";
import { NFTA_LIST_ELEM } from "./constants.ts";
import { type Bitwise, bitwise } from "./expressions/bitwise.ts";
import { type Byteorder, byteorder } from "./expressions/byteorder.ts";
import { type Cmp, cmp } from "./expressions/cmp.ts";
import type { ExpressionCodec } from "./expressions/codec.ts";
import { counter } from "./expressions/counter.ts";
import { type Ct, ct } from "./expressions/ct.ts";
import { type Dynset, dynset } from "./expressions/dynset.ts";
import { exthdr, type TcpOptionWrite } from "./expressions/exthdr.ts";
import { type Hash, hash } from "./expressions/hash.ts";
import { type ImmediateData, type ImmediateVerdict, immediate } from "./expressions/immediate.ts";
import { limit } from "./expressions/limit.ts";
import { type Lookup, lookup } from "./expressions/lookup.ts";
import { type Meta, type MetaWrite, meta } from "./expressions/meta.ts";
import { type Notrack, notrack } from "./expressions/notrack.ts";
import { type PayloadLoad, type PayloadWrite, payload } from "./expressions/payload.ts";
import { type Queue, queue } from "./expressions/queue.ts";
import { type Range, range } from "./expressions/range.ts";
import { type Rt, rt } from "./expressions/rt.ts";
import { EXPRESSION, EXPRESSION_VALUES, type StatefulExpression } from "./expressions/stateful.ts";
import { type Tproxy, tproxy } from "./expressions/tproxy.ts";
import { required } from "./required.ts";

/** Something that we never write: someone else changed the rule. */
export interface UnknownExpression {
  readonly kind: "unknown";
  readonly name: string;
}

export type KnownExpression =
  | Bitwise
  | Byteorder
  | Cmp
  | Ct
  | Dynset
  | Hash
  | ImmediateData
  | ImmediateVerdict
  | Lookup
  | Meta
  | MetaWrite
  | Notrack
  | PayloadLoad
  | PayloadWrite
  | Queue
  | Range
  | Rt
  | StatefulExpression
  | TcpOptionWrite
  | Tproxy;

export type Expression = KnownExpression | UnknownExpression;

type Codecs = {
  readonly [K in KnownExpression["kind"]]: ExpressionCodec<KnownExpression & { readonly kind: K }>;
};

/** An expression that shares its kernel name with another has the codec of both. */
const CODECS = {
  bitwise,
  byteorder,
  cmp,
  counter,
  ct,
  data: immediate,
  dynset,
  hash,
  limit,
  lookup,
  meta,
  "meta-write": meta,
  notrack,
  payload,
  "payload-write": payload,
  queue,
  range,
  rt,
  "tcp-option-write": exthdr,
  tproxy,
  verdict: immediate,
} as unknown as Codecs;

const BY_NAME: ReadonlyMap<string, ExpressionCodec<KnownExpression>> = new Map(
  Object.values(CODECS as Record<string, ExpressionCodec<KnownExpression>>).map((codec) => [
    codec.name,
    codec,
  ]),
);

const valuesOf = (expression: Expression) => {
  if (expression.kind === "unknown") {
    throw new TypeError(`a "${expression.name}" expression was read, not made: it can't be sent`);
  }
  const codec = CODECS[expression.kind] as ExpressionCodec<KnownExpression>;
  return { name: codec.name, data: codec.encode(expression) };
};

const expression: AttributeType<Expression> = {
  nested: true,
  size: (of) => EXPRESSION.size(valuesOf(of)),
  write: (of, into, at) => EXPRESSION.write(valuesOf(of), into, at),
  read: (bytes) => {
    const values = EXPRESSION.read(bytes);
    const name = required(values.name, "NFTA_EXPR_NAME");
    const codec = BY_NAME.get(name);
    if (codec === undefined) return { kind: "unknown", name };
    try {
      return codec.decode(values.data ?? Buffer.alloc(0)) ?? { kind: "unknown", name };
    } catch (error) {
      throw error instanceof MalformedMessage ? error.within("NFTA_EXPR_DATA").within(name) : error;
    }
  },
};

const ATTRIBUTE_HEADER = 4;
const ITEM = table({ item: attr(NFTA_LIST_ELEM, encoded, "NFTA_LIST_ELEM") });

/**
 * Writes what {@link expressions} reads, from the inside out: each expression is encoded once, not again
 * for the length of everything around it, and one that several lists share not again for each of them.
 */
export class ExpressionEncoder {
  readonly #items = new Map<Expression, Buffer>();
  readonly #lists = new Map<readonly Expression[], Buffer>();

  encode(list: readonly Expression[]): Buffer {
    const before = this.#lists.get(list);
    if (before !== undefined) return before;
    const encoded = Buffer.concat(list.map((one) => this.#item(one)));
    this.#lists.set(list, encoded);
    return encoded;
  }

  /** One expression as an attribute's payload. */
  single(one: Expression): Buffer {
    return this.#item(one).subarray(ATTRIBUTE_HEADER);
  }

  #item(one: Expression): Buffer {
    const before = this.#items.get(one);
    if (before !== undefined) return before;
    const item = ITEM.encode({ item: EXPRESSION_VALUES.encode(valuesOf(one)) });
    this.#items.set(one, item);
    return item;
  }
}

export const expressions = listOf(attr(NFTA_LIST_ELEM, expression, "NFTA_LIST_ELEM"));
