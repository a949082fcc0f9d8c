/** What a look at the kernel gave: all that bears on us, and of that what is ours. */

import type { Devices, FouListener, ProxyNeighbour } from "../net/objects.ts";
import type { Resource } from "../plan/resources.ts";
import type { Host } from "../plan/underlay.ts";
import type { ObservedRuleset } from "./nftables/observe.ts";

export interface Observation extends Host {
  readonly devices: Devices;
  /** Every FOU listener of the namespace; undefined: the kernel has no `fou`. */
  readonly listeners: readonly FouListener[] | undefined;
  /** Everybody's. */
  readonly proxies: readonly ProxyNeighbour[];
  /** Values of the kernel parameters that were asked for, and of those that we have written over. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Ours, but for the ruleset. */
  readonly resources: readonly Resource[];
  /** "hidden": we may not see it (CAP_NET_ADMIN). */
  readonly ruleset: ObservedRuleset | { readonly kind: "hidden" };
}
