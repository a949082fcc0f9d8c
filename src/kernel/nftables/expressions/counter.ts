/** Packets and bytes that came this far (nft_counter.c). */
import { attr, table, u64be } from "../../../netlink/attributes.ts";
import { NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS } from "../constants.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Counter {
  readonly kind: "counter";
  readonly packets: bigint;
  readonly bytes: bigint;
}

const COUNTER = table({
  bytes: attr(NFTA_COUNTER_BYTES, u64be, "NFTA_COUNTER_BYTES"),
  packets: attr(NFTA_COUNTER_PACKETS, u64be, "NFTA_COUNTER_PACKETS"),
});

export const counter: ExpressionCodec<Counter> = {
  name: "counter",
  encode: ({ packets, bytes }) => COUNTER.encode({ bytes, packets }),
  decode: (data) => {
    const { packets, bytes } = COUNTER.decode(data);
    return { kind: "counter", packets: packets ?? 0n, bytes: bytes ?? 0n };
  },
};
