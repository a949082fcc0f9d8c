/** `to = (from & mask) ^ xor` (nft_bitwise.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_BITWISE_MASK_XOR,
  NFTA_BITWISE_DREG,
  NFTA_BITWISE_LEN,
  NFTA_BITWISE_MASK,
  NFTA_BITWISE_OP,
  NFTA_BITWISE_SREG,
  NFTA_BITWISE_XOR,
} from "../constants.ts";
import { type Hex, value } from "../data.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Bitwise {
  readonly kind: "bitwise";
  readonly from: number;
  readonly to: number;
  /** As long as each other. */
  readonly mask: Hex;
  readonly xor: Hex;
}

const BITWISE = table({
  from: attr(NFTA_BITWISE_SREG, dataRegister, "NFTA_BITWISE_SREG"),
  to: attr(NFTA_BITWISE_DREG, dataRegister, "NFTA_BITWISE_DREG"),
  operation: attr(NFTA_BITWISE_OP, u32be, "NFTA_BITWISE_OP"),
  length: attr(NFTA_BITWISE_LEN, u32be, "NFTA_BITWISE_LEN"),
  mask: attr(NFTA_BITWISE_MASK, value, "NFTA_BITWISE_MASK"),
  xor: attr(NFTA_BITWISE_XOR, value, "NFTA_BITWISE_XOR"),
});

export const bitwise: ExpressionCodec<Bitwise> = {
  name: "bitwise",
  encode: ({ from, to, mask, xor }) =>
    BITWISE.encode({
      from,
      to,
      operation: NFT_BITWISE_MASK_XOR,
      length: mask.length / 2,
      mask,
      xor,
    }),
  decode: (data) => {
    const values = BITWISE.decode(data);
    const operation = values.operation ?? NFT_BITWISE_MASK_XOR;
    if (operation !== NFT_BITWISE_MASK_XOR || values.mask === undefined) return undefined;
    return {
      kind: "bitwise",
      from: required(values.from, "NFTA_BITWISE_SREG"),
      to: required(values.to, "NFTA_BITWISE_DREG"),
      mask: values.mask,
      xor: required(values.xor, "NFTA_BITWISE_XOR"),
    };
  },
};
