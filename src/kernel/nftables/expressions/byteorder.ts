/** From host to network order (nft_byteorder.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_BYTEORDER_HTON,
  NFTA_BYTEORDER_DREG,
  NFTA_BYTEORDER_LEN,
  NFTA_BYTEORDER_OP,
  NFTA_BYTEORDER_SIZE,
  NFTA_BYTEORDER_SREG,
} from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Byteorder {
  readonly kind: "byteorder";
  readonly from: number;
  readonly to: number;
  /** Bytes of the one number. */
  readonly size: number;
}

const BYTEORDER = table({
  from: attr(NFTA_BYTEORDER_SREG, dataRegister, "NFTA_BYTEORDER_SREG"),
  to: attr(NFTA_BYTEORDER_DREG, dataRegister, "NFTA_BYTEORDER_DREG"),
  operation: attr(NFTA_BYTEORDER_OP, u32be, "NFTA_BYTEORDER_OP"),
  length: attr(NFTA_BYTEORDER_LEN, u32be, "NFTA_BYTEORDER_LEN"),
  size: attr(NFTA_BYTEORDER_SIZE, u32be, "NFTA_BYTEORDER_SIZE"),
});

export const byteorder: ExpressionCodec<Byteorder> = {
  name: "byteorder",
  encode: ({ from, to, size }) =>
    BYTEORDER.encode({ from, to, operation: NFT_BYTEORDER_HTON, length: size, size }),
  decode: (data) => {
    const { from, to, operation, length, size } = BYTEORDER.decode(data);
    if (operation !== NFT_BYTEORDER_HTON || length !== size) return undefined;
    return {
      kind: "byteorder",
      from: required(from, "NFTA_BYTEORDER_SREG"),
      to: required(to, "NFTA_BYTEORDER_DREG"),
      size: required(size, "NFTA_BYTEORDER_SIZE"),
    };
  },
};
