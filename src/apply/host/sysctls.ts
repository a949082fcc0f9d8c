/** Which kernel parameters bear on the configuration, and what they come to. Pure. */
import type { Configuration } from "../../config/model.ts";
import type { Situation, Underlay } from "../../plan/situation.ts";
import { IP_FORWARD, isStrict, rpFilterOf } from "../../plan/sysctls.ts";
import type { Host } from "../../plan/underlay.ts";

export const NONLOCAL_BIND = "net/ipv4/ip_nonlocal_bind";
export const CONNTRACK_MAX = "net/netfilter/nf_conntrack_max";
export const CONNTRACK_COUNT = "net/netfilter/nf_conntrack_count";

export function sysctlsOfInterest(
  { tunnels }: Configuration,
  host: Pick<Host, "links">,
  { underlays }: Situation,
): Set<string> {
  const names = new Set([
    ...[
      IP_FORWARD,
      NONLOCAL_BIND,
      CONNTRACK_MAX,
      CONNTRACK_COUNT,
      rpFilterOf("all"),
      rpFilterOf("default"),
    ],
  ]);
  for (const tunnel of tunnels) {
    const underlay = underlays.get(tunnel.name);
    const device = underlay && deviceOf(underlay, host);
    for (const name of [device, tunnel.interface])
      if (name !== undefined) names.add(rpFilterOf(name));
  }
  return names;
}

/** The device that outer packets arrive by. */
export function deviceOf({ index }: Underlay, { links }: Pick<Host, "links">): string | undefined {
  return links.find((link) => link.index === index)?.name;
}

/** A new device has the default. */
export function filtersStrictly(sysctls: ReadonlyMap<string, string>, device: string): boolean {
  const own = sysctls.get(rpFilterOf(device)) ?? sysctls.get(rpFilterOf("default")) ?? "0";
  return isStrict(sysctls, own);
}
