/** What a look at the kernel gave: all that bears on us, and of that what is ours. */

import type { Devices, FouListener } from "../net/objects.ts";
import type { Resource } from "../plan/resources.ts";
import type { Host } from "../plan/underlay.ts";
import type { ObservedRuleset } from "./nftables/observe.ts";

export interface Observation extends Host {
  readonly devices: Devices;
  /** Every FOU listener of the namespace; undefined: the kernel has no `fou`. */
  readonly listeners: readonly FouListener[] | undefined;
  /** Ours, but for the ruleset. */
  readonly resources: readonly Resource[];
  /** "hidden": we may not see it (CAP_NET_ADMIN). */
  readonly ruleset: ObservedRuleset | { readonly kind: "hidden" };
}
