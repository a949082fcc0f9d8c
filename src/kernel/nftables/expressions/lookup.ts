/** A register in a named set or map (nft_lookup.c). */
import { attr, string, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_LOOKUP_F_INV,
  NFTA_LOOKUP_DREG,
  NFTA_LOOKUP_FLAGS,
  NFTA_LOOKUP_SET,
  NFTA_LOOKUP_SREG,
} from "../constants.ts";
import { dataRegister, register, type Slot } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Lookup {
  readonly kind: "lookup";
  readonly set: string;
  /** First slot of the key. */
  readonly from: number;
  /** Where a map's data goes; undefined for a set. */
  readonly to: Slot | undefined;
  /** Matches what the set does not hold. */
  readonly invert: boolean;
}

const LOOKUP = table({
  from: attr(NFTA_LOOKUP_SREG, dataRegister, "NFTA_LOOKUP_SREG"),
  to: attr(NFTA_LOOKUP_DREG, register, "NFTA_LOOKUP_DREG"),
  set: attr(NFTA_LOOKUP_SET, string, "NFTA_LOOKUP_SET"),
  flags: attr(NFTA_LOOKUP_FLAGS, u32be, "NFTA_LOOKUP_FLAGS"),
});

export const lookup: ExpressionCodec<Lookup> = {
  name: "lookup",
  encode: ({ set, from, to, invert }) =>
    LOOKUP.encode({ from, to, set, flags: invert ? NFT_LOOKUP_F_INV : undefined }),
  decode: (data) => {
    const values = LOOKUP.decode(data);
    return {
      kind: "lookup",
      set: required(values.set, "NFTA_LOOKUP_SET"),
      from: required(values.from, "NFTA_LOOKUP_SREG"),
      to: values.to,
      invert: ((values.flags ?? 0) & NFT_LOOKUP_F_INV) !== 0,
    };
  },
};
