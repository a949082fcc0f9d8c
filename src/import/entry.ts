/** A key of the new configuration and where it comes from. */
import type { Given } from "./argparse.ts";

export interface Entry {
  readonly key: string;
  readonly value: string | number | boolean | Readonly<Record<string, string>>;
  /** The options that it stands for: their comments go with it, and what is wrong with it is told of them. */
  readonly from: readonly Given[];
  /** What there is to say of it: why it stands here, or what differs. */
  readonly note?: string | undefined;
}

/** What is said of an option that has no key of its own. */
export interface Remark {
  readonly given: Given;
  readonly text: string;
}
