/** What is known about a packet's route (nft_rt.c). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import { NFTA_RT_DREG, NFTA_RT_KEY } from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Rt {
  readonly kind: "rt";
  /** NFT_RT_*; the segment size of a path is two bytes in host order. */
  readonly key: number;
  readonly to: number;
}

const RT = table({
  key: attr(NFTA_RT_KEY, u32be, "NFTA_RT_KEY"),
  to: attr(NFTA_RT_DREG, dataRegister, "NFTA_RT_DREG"),
});

export const rt: ExpressionCodec<Rt> = {
  name: "rt",
  encode: ({ key, to }) => RT.encode({ key, to }),
  decode: (data) => {
    const { key, to } = RT.decode(data);
    if (to === undefined) return undefined;
    return { kind: "rt", key: required(key, "NFTA_RT_KEY"), to };
  },
};
