/** Adds the packet's key to a set, or renews it there, and asks the element's own state (nft_dynset.c). */
import { attr, string, table, u32be, u64be } from "../../../netlink/attributes.ts";
import {
  NFT_DYNSET_F_EXPR,
  NFT_DYNSET_F_INV,
  NFT_DYNSET_OP_ADD,
  NFT_DYNSET_OP_UPDATE,
  NFTA_DYNSET_EXPR,
  NFTA_DYNSET_EXPRESSIONS,
  NFTA_DYNSET_FLAGS,
  NFTA_DYNSET_OP,
  NFTA_DYNSET_SET_NAME,
  NFTA_DYNSET_SREG_KEY,
  NFTA_DYNSET_TIMEOUT,
} from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";
import { type StatefulExpression, stateful, statefulList } from "./stateful.ts";

/** Where the set is full it does not match (or does, with `invert`). */
export interface Dynset {
  readonly kind: "dynset";
  readonly set: string;
  readonly operation: "add" | "update";
  /** First slot of the key. */
  readonly from: number;
  /** Milliseconds; 0: the set's own. */
  readonly timeout: number;
  readonly invert: boolean;
  readonly expressions: readonly StatefulExpression[];
}

const DYNSET = table({
  from: attr(NFTA_DYNSET_SREG_KEY, dataRegister, "NFTA_DYNSET_SREG_KEY"),
  operation: attr(NFTA_DYNSET_OP, u32be, "NFTA_DYNSET_OP"),
  timeout: attr(NFTA_DYNSET_TIMEOUT, u64be, "NFTA_DYNSET_TIMEOUT"),
  set: attr(NFTA_DYNSET_SET_NAME, string, "NFTA_DYNSET_SET_NAME"),
  expression: attr(NFTA_DYNSET_EXPR, stateful, "NFTA_DYNSET_EXPR"),
  expressions: attr(NFTA_DYNSET_EXPRESSIONS, statefulList, "NFTA_DYNSET_EXPRESSIONS"),
  flags: attr(NFTA_DYNSET_FLAGS, u32be, "NFTA_DYNSET_FLAGS"),
});

const OPERATIONS = { add: NFT_DYNSET_OP_ADD, update: NFT_DYNSET_OP_UPDATE } as const;

export const dynset: ExpressionCodec<Dynset> = {
  name: "dynset",
  encode: ({ set, operation, from, timeout, invert, expressions }) => {
    const [first, ...more] = expressions;
    const several = more.length > 0;
    const flags = (invert ? NFT_DYNSET_F_INV : 0) | (several ? NFT_DYNSET_F_EXPR : 0);
    return DYNSET.encode({
      from,
      operation: OPERATIONS[operation],
      timeout: timeout > 0 ? BigInt(timeout) : undefined,
      set,
      expression: several ? undefined : first,
      expressions: several ? expressions : undefined,
      flags: flags === 0 ? undefined : flags,
    });
  },
  decode: (data) => {
    const values = DYNSET.decode(data);
    const operation = operationOf(values.operation);
    if (operation === undefined) return undefined;
    const single = values.expression === undefined ? [] : [values.expression];
    return {
      kind: "dynset",
      set: required(values.set, "NFTA_DYNSET_SET_NAME"),
      operation,
      from: required(values.from, "NFTA_DYNSET_SREG_KEY"),
      timeout: Number(values.timeout ?? 0n),
      invert: ((values.flags ?? 0) & NFT_DYNSET_F_INV) !== 0,
      expressions: values.expressions ?? single,
    };
  },
};

function operationOf(number: number | undefined): Dynset["operation"] | undefined {
  switch (number) {
    case NFT_DYNSET_OP_ADD:
      return "add";
    case NFT_DYNSET_OP_UPDATE:
      return "update";
    default:
      return undefined;
  }
}
