/**
 * Which form a tunnel gets. The kernel finds an ipip device by (outer local, outer remote) and looks at no
 * port, so one such pair can serve one device only.
 *
 * direct: a tunnel with a single peer: point-to-point device, connected listener.
 * hub: a tunnel with several: one device with `remote any`, a nexthop object per peer; one with a directory
 *   always, as its peers come and go, and a device can't change between the forms.
 * translated: what collides. A peer of a hub gets an id for its next hop, a tunnel gets one in place of
 * its device's local address; the gate puts the real addresses into the packets. See places.ts.
 */
import type { TunnelConfig } from "../config/model.ts";
import type { IpAddress } from "../net/address.ts";
import type { ForeignIpip, Underlay } from "./situation.ts";

export type TunnelForm = "direct" | "hub";
export type PeerForm = TunnelForm | "translated";

export function formOfTunnel(tunnel: TunnelConfig): TunnelForm {
  return tunnel.directory !== undefined || tunnel.peers.length > 1 ? "hub" : "direct";
}

/** IPIP without UDP: its one peer is where its endpoint says, and nothing is proven. */
export function isPlain({ encapsulation }: Pick<TunnelConfig, "encapsulation">): boolean {
  return encapsulation === "none";
}

/** What of the world decides who has an outer address to himself. */
export interface Outside {
  readonly underlays: ReadonlyMap<string, Pick<Underlay, "local">>;
  readonly foreignIpip: readonly ForeignIpip[];
}

/**
 * Names of the tunnels that are translated whatever their peers do. The kernel tells devices with `remote
 * any` apart by their local address alone, so of several hubs at one the first in the configuration has it.
 * Devices of somebody else keep what is theirs, and so do tunnels without UDP, where nothing is written.
 */
export function translatedTunnels(
  tunnels: readonly TunnelConfig[],
  { underlays, foreignIpip }: Outside,
): ReadonlySet<string> {
  const taken = new Set<IpAddress>(foreignIpip.map(({ local }) => local));
  for (const tunnel of tunnels) {
    const local = isPlain(tunnel) ? underlays.get(tunnel.name)?.local : undefined;
    if (local !== undefined) taken.add(local);
  }
  const translated = new Set<string>();
  for (const tunnel of tunnels) {
    const local = underlays.get(tunnel.name)?.local;
    if (local === undefined || formOfTunnel(tunnel) !== "hub") continue;
    if (taken.has(local)) translated.add(tunnel.name);
    taken.add(local);
  }
  return translated;
}
