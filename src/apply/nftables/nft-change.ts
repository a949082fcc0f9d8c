/** One change to a table. */
import type { NftObject, NftSet } from "../../kernel/nftables/objects.ts";

export interface NftChange {
  readonly action: "add" | "change" | "remove";
  /** Name of the table. */
  readonly table: string;
  /** The interface that it belongs to; null for what belongs to all. */
  readonly tunnel: string | null;
  /** What shall be there; what goes, for a removal. */
  readonly object: NftObject;
  /**
   * What is there now. With "add": the same element, which has to be added again because its set is
   * replaced.
   */
  readonly previous: NftObject | undefined;
  /** An element's, where it is at hand: what its bytes mean. */
  readonly set: NftSet | undefined;
}
