/** Whether a register lies between two constants (nft_range.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_RANGE_EQ,
  NFT_RANGE_NEQ,
  NFTA_RANGE_FROM_DATA,
  NFTA_RANGE_OP,
  NFTA_RANGE_SREG,
  NFTA_RANGE_TO_DATA,
} from "../constants.ts";
import { type Hex, value } from "../data.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Range {
  readonly kind: "range";
  readonly from: number;
  readonly invert: boolean;
  /** Both belong to the range. */
  readonly first: Hex;
  readonly last: Hex;
}

const RANGE = table({
  from: attr(NFTA_RANGE_SREG, dataRegister, "NFTA_RANGE_SREG"),
  operator: attr(NFTA_RANGE_OP, u32be, "NFTA_RANGE_OP"),
  first: attr(NFTA_RANGE_FROM_DATA, value, "NFTA_RANGE_FROM_DATA"),
  last: attr(NFTA_RANGE_TO_DATA, value, "NFTA_RANGE_TO_DATA"),
});

export const range: ExpressionCodec<Range> = {
  name: "range",
  encode: ({ from, invert, first, last }) =>
    RANGE.encode({ from, operator: invert ? NFT_RANGE_NEQ : NFT_RANGE_EQ, first, last }),
  decode: (data) => {
    const values = RANGE.decode(data);
    return {
      kind: "range",
      from: required(values.from, "NFTA_RANGE_SREG"),
      invert: required(values.operator, "NFTA_RANGE_OP") === NFT_RANGE_NEQ,
      first: required(values.first, "NFTA_RANGE_FROM_DATA"),
      last: required(values.last, "NFTA_RANGE_TO_DATA"),
    };
  },
};
