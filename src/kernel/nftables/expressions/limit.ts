/** A token bucket, one per rule or per element of a set (nft_limit.c). */
import { attr, table, u32be, u64be } from "../../../netlink/attributes.ts";
import {
  NFT_LIMIT_F_INV,
  NFT_LIMIT_PKT_BYTES,
  NFT_LIMIT_PKTS,
  NFTA_LIMIT_BURST,
  NFTA_LIMIT_FLAGS,
  NFTA_LIMIT_RATE,
  NFTA_LIMIT_TYPE,
  NFTA_LIMIT_UNIT,
} from "../constants.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Limit {
  readonly kind: "limit";
  readonly of: "packets" | "bytes";
  /** So many in `unit` seconds. */
  readonly rate: number;
  readonly unit: number;
  readonly burst: number;
  /** Matches what is above the rate, instead of what is below. */
  readonly over: boolean;
}

const LIMIT = table({
  rate: attr(NFTA_LIMIT_RATE, u64be, "NFTA_LIMIT_RATE"),
  unit: attr(NFTA_LIMIT_UNIT, u64be, "NFTA_LIMIT_UNIT"),
  burst: attr(NFTA_LIMIT_BURST, u32be, "NFTA_LIMIT_BURST"),
  type: attr(NFTA_LIMIT_TYPE, u32be, "NFTA_LIMIT_TYPE"),
  flags: attr(NFTA_LIMIT_FLAGS, u32be, "NFTA_LIMIT_FLAGS"),
});

export const limit: ExpressionCodec<Limit> = {
  name: "limit",
  encode: ({ of, rate, unit, burst, over }) =>
    LIMIT.encode({
      rate: BigInt(rate),
      unit: BigInt(unit),
      burst,
      type: of === "bytes" ? NFT_LIMIT_PKT_BYTES : NFT_LIMIT_PKTS,
      flags: over ? NFT_LIMIT_F_INV : 0,
    }),
  decode: (data) => {
    const values = LIMIT.decode(data);
    return {
      kind: "limit",
      of: values.type === NFT_LIMIT_PKT_BYTES ? "bytes" : "packets",
      rate: Number(required(values.rate, "NFTA_LIMIT_RATE")),
      unit: Number(required(values.unit, "NFTA_LIMIT_UNIT")),
      burst: values.burst ?? 0,
      over: ((values.flags ?? 0) & NFT_LIMIT_F_INV) !== 0,
    };
  },
};
