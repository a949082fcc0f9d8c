/**
 * Only the first fragment of a packet has ports, so what is rewritten on its way in must be whole. That
 * some rule of the namespace has such an expression turns defragmentation on (before our chain, at -400);
 * the rule is not for packets, and nothing leads to it.
 */
import { isDeepStrictEqual } from "node:util";
import { NFPROTO_IPV4, NFT_CT_STATE, NFT_META_L4PROTO } from "../../kernel/nftables/constants.ts";
import { hexOf } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject } from "../../kernel/nftables/objects.ts";
import { chain } from "./chains.ts";
import { hexHost, hexPort, PROTOCOL_UDP, rule } from "./fields.ts";
import { lackingIn } from "./lacking.ts";
import { DEFRAGMENT } from "./names.ts";
import type { NftChange } from "./nft-change.ts";

/** NF_CT_STATE_UNTRACKED_BIT (linux/netfilter/nf_conntrack_common.h); any state would do. */
const UNTRACKED = 1 << 6;

const chainOf = (expressions: readonly Expression[]): Chain =>
  chain(DEFRAGMENT, [rule(expressions)]);

/** Turns nothing else on. */
export const defragmentation: Chain = chainOf([
  { kind: "meta", key: NFT_META_L4PROTO, to: 0 },
  { kind: "cmp", from: 0, operator: "eq", value: hexOf(PROTOCOL_UDP, 1) },
  { kind: "data", to: 0, value: hexPort(1) },
  { kind: "tproxy", family: NFPROTO_IPV4, port: 0 },
]);

/** For a kernel without nft_tproxy: connection tracking is on then as well, and costs. */
export const byTracking: Chain = chainOf([
  { kind: "ct", key: NFT_CT_STATE, to: 0 },
  { kind: "bitwise", from: 0, to: 0, mask: hexHost(UNTRACKED), xor: hexHost(0) },
  { kind: "cmp", from: 0, operator: "neq", value: hexHost(0) },
]);

/** One is as good as the other once it is there. */
export function isDefragmentation(object: NftObject): boolean {
  return isDeepStrictEqual(object, defragmentation) || isDeepStrictEqual(object, byTracking);
}

/** Whether the kernel has refused {@link defragmentation} for what it lacks. */
export function lacksDefragmentation(error: unknown): boolean {
  return lackingIn(error) === DEFRAGMENT;
}

export function withTracking(changes: readonly NftChange[]): NftChange[] {
  return changes.map((change) =>
    change.object.kind === "chain" && change.object.name === DEFRAGMENT
      ? { ...change, object: byTracking }
      : change,
  );
}
