/** Bytes of the packet, to a register or from one (nft_payload.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_PAYLOAD_CSUM_INET,
  NFT_PAYLOAD_CSUM_NONE,
  NFT_PAYLOAD_L4CSUM_PSEUDOHDR,
  NFT_PAYLOAD_LL_HEADER,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
  NFTA_PAYLOAD_BASE,
  NFTA_PAYLOAD_CSUM_FLAGS,
  NFTA_PAYLOAD_CSUM_OFFSET,
  NFTA_PAYLOAD_CSUM_TYPE,
  NFTA_PAYLOAD_DREG,
  NFTA_PAYLOAD_LEN,
  NFTA_PAYLOAD_OFFSET,
  NFTA_PAYLOAD_SREG,
} from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export const PAYLOAD_BASES = {
  link: NFT_PAYLOAD_LL_HEADER,
  network: NFT_PAYLOAD_NETWORK_HEADER,
  transport: NFT_PAYLOAD_TRANSPORT_HEADER,
} as const;

export type PayloadBase = keyof typeof PAYLOAD_BASES;

/** Where in the packet; offset and length in bytes from the base. */
export interface PayloadField {
  readonly base: PayloadBase;
  readonly offset: number;
  readonly length: number;
}

/** Fails to match (NFT_BREAK) where the packet is too short, and for a later fragment's transport header. */
export interface PayloadLoad extends PayloadField {
  readonly kind: "payload";
  readonly to: number;
}

export interface PayloadWrite extends PayloadField {
  readonly kind: "payload-write";
  readonly from: number;
  /** `inet`: the checksum at this offset from the base is updated; pseudoHeader: the transport's as well. */
  readonly checksum:
    | { readonly type: "none" }
    | { readonly type: "inet"; readonly offset: number; readonly pseudoHeader: boolean };
}

const PAYLOAD = table({
  from: attr(NFTA_PAYLOAD_SREG, dataRegister, "NFTA_PAYLOAD_SREG"),
  to: attr(NFTA_PAYLOAD_DREG, dataRegister, "NFTA_PAYLOAD_DREG"),
  base: attr(NFTA_PAYLOAD_BASE, u32be, "NFTA_PAYLOAD_BASE"),
  offset: attr(NFTA_PAYLOAD_OFFSET, u32be, "NFTA_PAYLOAD_OFFSET"),
  length: attr(NFTA_PAYLOAD_LEN, u32be, "NFTA_PAYLOAD_LEN"),
  checksumType: attr(NFTA_PAYLOAD_CSUM_TYPE, u32be, "NFTA_PAYLOAD_CSUM_TYPE"),
  checksumOffset: attr(NFTA_PAYLOAD_CSUM_OFFSET, u32be, "NFTA_PAYLOAD_CSUM_OFFSET"),
  checksumFlags: attr(NFTA_PAYLOAD_CSUM_FLAGS, u32be, "NFTA_PAYLOAD_CSUM_FLAGS"),
});

export const payload: ExpressionCodec<PayloadLoad | PayloadWrite> = {
  name: "payload",
  encode: (expression) => {
    const { offset, length } = expression;
    const base = PAYLOAD_BASES[expression.base];
    if (expression.kind === "payload") {
      return PAYLOAD.encode({ to: expression.to, base, offset, length });
    }
    const { from, checksum } = expression;
    if (checksum.type === "none") return PAYLOAD.encode({ from, base, offset, length });
    return PAYLOAD.encode({
      from,
      base,
      offset,
      length,
      checksumType: NFT_PAYLOAD_CSUM_INET,
      checksumOffset: checksum.offset,
      checksumFlags: checksum.pseudoHeader ? NFT_PAYLOAD_L4CSUM_PSEUDOHDR : undefined,
    });
  },
  decode: (data) => {
    const values = PAYLOAD.decode(data);
    const base = baseOf(values.base);
    if (base === undefined) return undefined;
    const field = {
      base,
      offset: required(values.offset, "NFTA_PAYLOAD_OFFSET"),
      length: required(values.length, "NFTA_PAYLOAD_LEN"),
    };
    if (values.from === undefined) {
      return { kind: "payload", ...field, to: required(values.to, "NFTA_PAYLOAD_DREG") };
    }
    const checksum = checksumOf(values);
    if (checksum === undefined) return undefined;
    return { kind: "payload-write", ...field, from: values.from, checksum };
  },
};

function baseOf(number: number | undefined): PayloadBase | undefined {
  switch (number) {
    case NFT_PAYLOAD_LL_HEADER:
      return "link";
    case NFT_PAYLOAD_NETWORK_HEADER:
      return "network";
    case NFT_PAYLOAD_TRANSPORT_HEADER:
      return "transport";
    default:
      return undefined;
  }
}

function checksumOf(values: {
  readonly checksumType?: number | undefined;
  readonly checksumOffset?: number | undefined;
  readonly checksumFlags?: number | undefined;
}): PayloadWrite["checksum"] | undefined {
  switch (values.checksumType ?? NFT_PAYLOAD_CSUM_NONE) {
    case NFT_PAYLOAD_CSUM_NONE:
      return { type: "none" };
    case NFT_PAYLOAD_CSUM_INET:
      return {
        type: "inet",
        offset: values.checksumOffset ?? 0,
        pseudoHeader: ((values.checksumFlags ?? 0) & NFT_PAYLOAD_L4CSUM_PSEUDOHDR) !== 0,
      };
    default:
      return undefined;
  }
}
