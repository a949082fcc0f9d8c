/** What is known about a packet beside its bytes (nft_meta.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import { NFTA_META_DREG, NFTA_META_KEY } from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Meta {
  readonly kind: "meta";
  /** NFT_META_* */
  readonly key: number;
  readonly to: number;
}

const META = table({
  key: attr(NFTA_META_KEY, u32be, "NFTA_META_KEY"),
  to: attr(NFTA_META_DREG, dataRegister, "NFTA_META_DREG"),
});

export const meta: ExpressionCodec<Meta> = {
  name: "meta",
  encode: ({ key, to }) => META.encode({ key, to }),
  decode: (data) => {
    const { key, to } = META.decode(data);
    if (to === undefined) return undefined;
    return {
      kind: "meta",
      key: required(key, "NFTA_META_KEY"),
      to,
    };
  },
};
