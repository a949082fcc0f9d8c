/** Addresses and routes of a tunnel. */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { formatPrefix, networkOf, type Prefix } from "../net/address.ts";
import { MAIN_TABLE, type Route } from "../net/objects.ts";
import { formOfTunnel } from "./form.ts";
import { fullTunnelOf } from "./full-tunnel.ts";
import { CLASS_E, idOfPeer, nexthopId } from "./ids.ts";
import { protocolOf, worstMetric } from "./ownership.ts";
import type { TunnelContext } from "./peer.ts";
import type { AddressResource, RouteResource } from "./resources.ts";

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
export function peerRoutes(
  context: TunnelContext,
  peer: PeerConfig,
  connected: ReadonlySet<string> = connectedNetworks(context.tunnel),
): RouteResource[] {
  const { tunnel, ids, table } = context;
  const hub = formOfTunnel(tunnel) === "hub";
  const device = hub ? undefined : tunnel.interface;
  const nexthop = hub ? nexthopId(idOfPeer(ids, peer)) : undefined;
  const routes: RouteResource[] = [];
  for (const prefix of peer.allowedIPs ?? []) {
    const destination = networkOf(prefix);
    if (connected.size > 0 && connected.has(formatPrefix(destination))) continue;
    const to = { table: tableOf(tunnel, destination), metric: 0, device, nexthop };
    routes.push(resource(table, tunnel.name, "unicast", destination, to));
  }
  return routes;
}

/** Networks for which the kernel makes a route itself when the address is added; for a hub none. */
export function connectedNetworks(tunnel: TunnelConfig): ReadonlySet<string> {
  const networks = formOfTunnel(tunnel) === "hub" ? [] : tunnel.addresses.map(networkOfAddress);
  return new Set(networks.map(formatPrefix));
}

/**
 * What stands behind the routes of a tunnel from start to stop: a link that goes down takes its routes
 * and nexthops with it, and inner traffic would leave in clear by the default route.
 */
export function guardRoutes({ tunnel, table }: TunnelContext): RouteResource[] {
  const guards: RouteResource[] = [];
  const metric = worstMetric(table);
  const guard = (destination: Prefix): void => {
    const to = {
      table: tableOf(tunnel, destination),
      metric,
      device: undefined,
      nexthop: undefined,
    };
    guards.push(resource(table, tunnel.name, "unreachable", destination, to));
  };
  // A connected route goes with its link as well.
  let own = tunnel.addresses
    .filter(({ length, peer }) => peer !== undefined || length < 32)
    .map(networkOfAddress);
  for (const { allowedIPs } of tunnel.peers) {
    for (const prefix of allowedIPs ?? []) {
      const network = networkOf(prefix);
      guard(network);
      if (own.some((one) => isSame(one, network))) own = own.filter((one) => !isSame(one, network));
    }
  }
  for (const network of own) guard(network);
  return guards;
}

function isSame(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && a.address === b.address;
}

/** Packets for a placeholder must not leave the host by the default route. */
export function placeholderGuard(table: string): RouteResource {
  const metric = worstMetric(table);
  const to = { table: MAIN_TABLE, metric, device: undefined, nexthop: undefined };
  return resource(table, null, "blackhole", CLASS_E, to);
}

/** All fields in one literal: a hub has 200,000 of these, and copying some from elsewhere takes 20 times as long. */
function resource(
  of: string,
  tunnel: string | null,
  type: Route["type"],
  destination: Prefix,
  { table, metric, device, nexthop }: Pick<Route, "table" | "metric" | "device" | "nexthop">,
): RouteResource {
  return {
    object: "route",
    tunnel,
    spec: {
      type,
      destination,
      table,
      metric,
      protocol: protocolOf(of),
      device,
      gateway: undefined,
      onlink: false,
      nexthop,
      source: undefined,
    },
  };
}

function tableOf(tunnel: TunnelConfig, destination: Prefix): number {
  return destination.length === 0 ? (fullTunnelOf(tunnel)?.table ?? MAIN_TABLE) : MAIN_TABLE;
}

function networkOfAddress({ local, length, peer }: TunnelConfig["addresses"][number]): Prefix {
  return networkOf({ address: peer ?? local, length });
}
