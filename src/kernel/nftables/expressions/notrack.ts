/** Keeps the packet out of connection tracking (nft_ct.c). It has no attributes. */
import type { ExpressionCodec } from "./codec.ts";

export interface Notrack {
  readonly kind: "notrack";
}

export const notrack: ExpressionCodec<Notrack> = {
  name: "notrack",
  encode: () => undefined,
  decode: () => ({ kind: "notrack" }),
};
