/**
 * Which form a peer gets. The kernel finds an ipip device by (outer local, outer remote) and looks at no
 * port, so one such pair can serve one peer only; the planner picks the cheapest form that is right.
 *
 * direct: a tunnel with a single peer: point-to-point device, connected listener.
 * hub: a tunnel with several: one device with `remote any`, a nexthop object per peer.
 * translated: what collides. Not built yet: such a peer is refused and the holder keeps its place.
 */
import type { TunnelConfig } from "../config/model.ts";
import type { Endpoint, IpAddress } from "../net/address.ts";

export type TunnelForm = "direct" | "hub";
export type PeerForm = TunnelForm | "translated";

export function formOfTunnel(tunnel: TunnelConfig): TunnelForm {
  return tunnel.peers.length > 1 ? "hub" : "direct";
}

/** Who holds an outer (local, remote) pair now: `tunnel/peer`, or undefined. */
export type HolderOf = (local: IpAddress, remote: IpAddress) => string | undefined;

export function formOfPeer(
  tunnel: TunnelConfig,
  key: string,
  local: IpAddress,
  endpoint: Endpoint,
  holderOf: HolderOf,
): { readonly form: PeerForm; readonly holder: string | undefined } {
  const holder = holderOf(local, endpoint.address);
  if (holder !== undefined && holder !== key) return { form: "translated", holder };
  return { form: formOfTunnel(tunnel), holder: undefined };
}
