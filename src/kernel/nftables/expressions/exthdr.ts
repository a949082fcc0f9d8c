/** A part of a TCP option from a register; packets without the option stay as they are (nft_exthdr.c). */
import { attr, table, u8, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_EXTHDR_OP_TCPOPT,
  NFTA_EXTHDR_LEN,
  NFTA_EXTHDR_OFFSET,
  NFTA_EXTHDR_OP,
  NFTA_EXTHDR_SREG,
  NFTA_EXTHDR_TYPE,
} from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

/** Of the maximum segment size the kernel only ever writes a smaller one. */
export interface TcpOptionWrite {
  readonly kind: "tcp-option-write";
  /** Its kind: 2 is the maximum segment size. */
  readonly option: number;
  readonly offset: number;
  readonly length: number;
  readonly from: number;
}

const EXTHDR = table({
  type: attr(NFTA_EXTHDR_TYPE, u8, "NFTA_EXTHDR_TYPE"),
  offset: attr(NFTA_EXTHDR_OFFSET, u32be, "NFTA_EXTHDR_OFFSET"),
  length: attr(NFTA_EXTHDR_LEN, u32be, "NFTA_EXTHDR_LEN"),
  operation: attr(NFTA_EXTHDR_OP, u32be, "NFTA_EXTHDR_OP"),
  from: attr(NFTA_EXTHDR_SREG, dataRegister, "NFTA_EXTHDR_SREG"),
});

export const exthdr: ExpressionCodec<TcpOptionWrite> = {
  name: "exthdr",
  encode: ({ option, offset, length, from }) =>
    EXTHDR.encode({ type: option, offset, length, operation: NFT_EXTHDR_OP_TCPOPT, from }),
  decode: (data) => {
    const { type, offset, length, operation, from } = EXTHDR.decode(data);
    if (from === undefined || operation !== NFT_EXTHDR_OP_TCPOPT) return undefined;
    return {
      kind: "tcp-option-write",
      option: required(type, "NFTA_EXTHDR_TYPE"),
      offset: required(offset, "NFTA_EXTHDR_OFFSET"),
      length: required(length, "NFTA_EXTHDR_LEN"),
      from,
    };
  },
};
