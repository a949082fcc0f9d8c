/** One change to what the kernel holds. */
import type { Resource } from "./resources.ts";

export interface Step {
  readonly action: "add" | "change" | "remove";
  readonly resource: Resource;
  /** What stands there now; undefined when adding. */
  readonly previous: Resource | undefined;
}
