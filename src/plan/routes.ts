/** Addresses and routes of a tunnel. */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { formatPrefix, networkOf, type Prefix } from "../net/address.ts";
import type { Route } from "../net/objects.ts";
import { formOfTunnel } from "./form.ts";
import { fullTunnelOf } from "./full-tunnel.ts";
import { CLASS_E, idOf, nexthopId, peerKey } from "./ids.ts";
import { protocolOf, worstMetric } from "./ownership.ts";
import type { TunnelContext } from "./peer.ts";
import type { AddressResource, RouteResource } from "./resources.ts";

const MAIN = 254;

export function addresses({ tunnel, table }: TunnelContext): AddressResource[] {
  return tunnel.addresses.map(({ local, length, peer }) => ({
    object: "address",
    tunnel: tunnel.name,
    spec: {
      device: tunnel.interface,
      local,
      prefixLength: length,
      peer,
      // A hub's device is NBMA: a connected route would take the inner address for the next hop's.
      noPrefixRoute: formOfTunnel(tunnel) === "hub" && (peer !== undefined || length < 32),
      protocol: protocolOf(table),
    },
  }));
}

/** Routes to one peer's allowedIPs. */
export function peerRoutes(context: TunnelContext, peer: PeerConfig): RouteResource[] {
  const { tunnel, ids, table } = context;
  const hub = formOfTunnel(tunnel) === "hub";
  const connected = hub ? [] : connectedNetworks(tunnel);
  const nexthop = hub ? nexthopId(idOf(ids, peerKey(tunnel.name, peer.name))) : undefined;
  return (peer.allowedIPs ?? [])
    .map(networkOf)
    .filter((prefix) => !connected.includes(formatPrefix(prefix)))
    .map((destination) => ({
      object: "route",
      tunnel: tunnel.name,
      spec: {
        ...NOWHERE,
        type: "unicast",
        protocol: protocolOf(table),
        destination,
        table: tableOf(tunnel, destination),
        metric: 0,
        device: hub ? undefined : tunnel.interface,
        nexthop,
      },
    }));
}

/**
 * What stands behind the routes of a tunnel from start to stop: a link that goes down takes its routes
 * and nexthops with it, and inner traffic would leave in clear by the default route.
 */
export function guardRoutes(context: TunnelContext): RouteResource[] {
  const { tunnel, table } = context;
  const prefixes = tunnel.peers.flatMap((peer) => peer.allowedIPs ?? []).map(networkOf);
  // A connected route goes with its link as well.
  const own = tunnel.addresses
    .filter(({ length, peer }) => peer !== undefined || length < 32)
    .map(networkOfAddress);
  const wanted = new Map([...prefixes, ...own].map((p) => [formatPrefix(p), p]));
  return [...wanted.values()].map((destination) => ({
    object: "route",
    tunnel: tunnel.name,
    spec: {
      ...NOWHERE,
      type: "unreachable",
      protocol: protocolOf(table),
      destination,
      table: tableOf(tunnel, destination),
      metric: worstMetric(table),
      device: undefined,
      nexthop: undefined,
    },
  }));
}

/** Packets for a placeholder must not leave the host by the default route. */
export function placeholderGuard(table: string): RouteResource {
  return {
    object: "route",
    tunnel: null,
    spec: {
      ...NOWHERE,
      type: "blackhole",
      protocol: protocolOf(table),
      destination: CLASS_E,
      table: MAIN,
      metric: worstMetric(table),
      device: undefined,
      nexthop: undefined,
    },
  };
}

const NOWHERE = {
  gateway: undefined,
  onlink: false,
  source: undefined,
} as const satisfies Partial<Route>;

function tableOf(tunnel: TunnelConfig, destination: Prefix): number {
  return destination.length === 0 ? (fullTunnelOf(tunnel)?.table ?? MAIN) : MAIN;
}

/** Networks for which the kernel makes a route itself when the address is added. */
function connectedNetworks(tunnel: TunnelConfig): string[] {
  return tunnel.addresses.map(networkOfAddress).map(formatPrefix);
}

function networkOfAddress({ local, length, peer }: TunnelConfig["addresses"][number]): Prefix {
  return networkOf({ address: peer ?? local, length });
}
