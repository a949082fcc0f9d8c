/** To a process, by nfnetlink_queue (nft_queue.c). Without `bypass` a packet that no process waits for is dropped. */
import { attr, table, u16be } from "../../../netlink/attributes.ts";
import {
  NFT_QUEUE_FLAG_BYPASS,
  NFTA_QUEUE_FLAGS,
  NFTA_QUEUE_NUM,
  NFTA_QUEUE_TOTAL,
} from "../constants.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Queue {
  readonly kind: "queue";
  readonly number: number;
  readonly bypass: boolean;
}

const QUEUE = table({
  number: attr(NFTA_QUEUE_NUM, u16be, "NFTA_QUEUE_NUM"),
  total: attr(NFTA_QUEUE_TOTAL, u16be, "NFTA_QUEUE_TOTAL"),
  flags: attr(NFTA_QUEUE_FLAGS, u16be, "NFTA_QUEUE_FLAGS"),
});

export const queue: ExpressionCodec<Queue> = {
  name: "queue",
  encode: ({ number, bypass }) =>
    QUEUE.encode({ number, total: 1, flags: bypass ? NFT_QUEUE_FLAG_BYPASS : undefined }),
  decode: (data) => {
    const values = QUEUE.decode(data);
    return {
      kind: "queue",
      number: required(values.number, "NFTA_QUEUE_NUM"),
      bypass: ((values.flags ?? 0) & NFT_QUEUE_FLAG_BYPASS) !== 0,
    };
  },
};
