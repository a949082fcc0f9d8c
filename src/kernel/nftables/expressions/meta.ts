/** What is known about a packet beside its bytes, to a register or from one (nft_meta.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import { NFTA_META_DREG, NFTA_META_KEY, NFTA_META_SREG } from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Meta {
  readonly kind: "meta";
  /** NFT_META_* */
  readonly key: number;
  readonly to: number;
}

export interface MetaWrite {
  readonly kind: "meta-write";
  /** NFT_META_* */
  readonly key: number;
  readonly from: number;
}

const META = table({
  key: attr(NFTA_META_KEY, u32be, "NFTA_META_KEY"),
  to: attr(NFTA_META_DREG, dataRegister, "NFTA_META_DREG"),
  from: attr(NFTA_META_SREG, dataRegister, "NFTA_META_SREG"),
});

export const meta: ExpressionCodec<Meta | MetaWrite> = {
  name: "meta",
  encode: (expression) =>
    expression.kind === "meta"
      ? META.encode({ key: expression.key, to: expression.to })
      : META.encode({ key: expression.key, from: expression.from }),
  decode: (data) => {
    const values = META.decode(data);
    const key = required(values.key, "NFTA_META_KEY");
    if (values.from !== undefined) return { kind: "meta-write", key, from: values.from };
    return values.to === undefined ? undefined : { kind: "meta", key, to: values.to };
  },
};
