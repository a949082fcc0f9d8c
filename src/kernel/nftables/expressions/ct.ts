/** Connection tracking's view of a packet; its mere use turns defragmentation on in a namespace (nft_ct.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import { NFTA_CT_DREG, NFTA_CT_KEY } from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Ct {
  readonly kind: "ct";
  /** NFT_CT_* */
  readonly key: number;
  readonly to: number;
}

const CT = table({
  key: attr(NFTA_CT_KEY, u32be, "NFTA_CT_KEY"),
  to: attr(NFTA_CT_DREG, dataRegister, "NFTA_CT_DREG"),
});

export const ct: ExpressionCodec<Ct> = {
  name: "ct",
  encode: ({ key, to }) => CT.encode({ key, to }),
  decode: (data) => {
    const { key, to } = CT.decode(data);
    if (to === undefined) return undefined;
    return {
      kind: "ct",
      key: required(key, "NFTA_CT_KEY"),
      to,
    };
  },
};
