/** A register against a constant (nft_cmp.c); up to 4 bytes for equality cost a few instructions. */
import { attr, MalformedMessage, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_CMP_EQ,
  NFT_CMP_GT,
  NFT_CMP_GTE,
  NFT_CMP_LT,
  NFT_CMP_LTE,
  NFT_CMP_NEQ,
  NFTA_CMP_DATA,
  NFTA_CMP_OP,
  NFTA_CMP_SREG,
} from "../constants.ts";
import { type Hex, value } from "../data.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

const OPERATORS = {
  eq: NFT_CMP_EQ,
  neq: NFT_CMP_NEQ,
  lt: NFT_CMP_LT,
  lte: NFT_CMP_LTE,
  gt: NFT_CMP_GT,
  gte: NFT_CMP_GTE,
} as const;

export type CmpOperator = keyof typeof OPERATORS;

export interface Cmp {
  readonly kind: "cmp";
  readonly from: number;
  readonly operator: CmpOperator;
  readonly value: Hex;
}

const CMP = table({
  from: attr(NFTA_CMP_SREG, dataRegister, "NFTA_CMP_SREG"),
  operator: attr(NFTA_CMP_OP, u32be, "NFTA_CMP_OP"),
  value: attr(NFTA_CMP_DATA, value, "NFTA_CMP_DATA"),
});

export const cmp: ExpressionCodec<Cmp> = {
  name: "cmp",
  encode: (expression) =>
    CMP.encode({
      from: expression.from,
      operator: OPERATORS[expression.operator],
      value: expression.value,
    }),
  decode: (data) => {
    const values = CMP.decode(data);
    return {
      kind: "cmp",
      from: required(values.from, "NFTA_CMP_SREG"),
      operator: operatorOf(values.operator),
      value: required(values.value, "NFTA_CMP_DATA"),
    };
  },
};

function operatorOf(number: number | undefined): CmpOperator {
  for (const [operator, its] of Object.entries(OPERATORS)) {
    if (its === number) return operator as CmpOperator;
  }
  throw new MalformedMessage(`unknown operator ${number ?? "(none)"}`, "NFTA_CMP_OP");
}
