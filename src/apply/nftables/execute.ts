/** Carries changes of the ruleset out. */
import { batchBegin, batchEnd } from "../../kernel/nftables/message.ts";
import type { Request } from "../../netlink/request.ts";
import { lacksDefragmentation, withTracking } from "./defragment.ts";
import { lacksHash, withoutHash } from "./heartbeats.ts";
import type { NftChange } from "./nft-change.ts";
import { batches } from "./requests.ts";

export interface Batcher {
  batch(begin: Request, requests: readonly Request[], end: Request): Promise<void>;
}

/**
 * In as few transactions as the send buffer allows, mostly one. Rejects with the first KernelError; then
 * nothing of that batch was done, and nothing after it.
 */
export async function executeRuleset(
  kernel: Batcher,
  changes: readonly NftChange[],
  batchBytes?: number,
): Promise<void> {
  try {
    await executeAll(kernel, changes, batchBytes);
  } catch (error) {
    const possible = whatItCan(changes, error);
    if (possible === undefined) throw error;
    // One kernel may lack both.
    await executeRuleset(kernel, possible, batchBytes);
  }
}

/** The same with what the kernel has in place of what it has just refused; undefined: it is something else. */
function whatItCan(changes: readonly NftChange[], error: unknown): NftChange[] | undefined {
  if (lacksDefragmentation(error)) return withTracking(changes);
  if (!lacksHash(error)) return undefined;
  return changes.map((change) => ({ ...change, object: withoutHash(change.object) }));
}

async function executeAll(
  kernel: Batcher,
  changes: readonly NftChange[],
  batchBytes: number | undefined,
): Promise<void> {
  for (const requests of batches(changes, batchBytes)) {
    await kernel.batch(batchBegin(), requests, batchEnd());
  }
}
