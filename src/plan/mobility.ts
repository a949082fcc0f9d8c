/** Routes, rules and proxy neighbours that the configuration asks for beside allowedIPs. Pure. */
import type { RouteConfig, TunnelConfig } from "../config/model.ts";
import { formatPrefix } from "../net/address.ts";
import { MAIN_TABLE, type Route } from "../net/objects.ts";
import { idOfPeer, nexthopId } from "./ids.ts";
import { protocolOf, worstMetric } from "./ownership.ts";
import type { TunnelContext } from "./peer.ts";
import type { NeighbourResource, Resource, RouteResource, RuleResource } from "./resources.ts";

/** Those of one tunnel. @param standing What stands behind its allowedIPs already. */
export function mobilityResources(
  context: TunnelContext,
  standing: readonly RouteResource[],
): Resource[] {
  return [...routes(context, standing), ...rules(context), ...neighbours(context)];
}

/** Networks of the main table whose route the operator has written himself. */
export function writtenByHand({ routes }: TunnelConfig): ReadonlySet<string> {
  const plain = routes.filter(({ table, metric }) => table === MAIN_TABLE && metric === 0);
  return new Set(plain.map(({ to }) => formatPrefix(to)));
}

/** Devices of others that must be there and up for something of this tunnel's. */
export function outsideDevices({ routes, proxyArp }: TunnelConfig): ReadonlySet<string> {
  const devices = [...routes, ...proxyArp].map(({ device }) => device);
  return new Set(devices.filter((device) => device !== undefined));
}

function routes(context: TunnelContext, standing: readonly RouteResource[]): RouteResource[] {
  const { tunnel } = context;
  if (tunnel.routes.length === 0) return [];
  const guards = new Map<string, RouteResource>();
  const own = tunnel.routes.map((route): RouteResource => {
    const guard = guardOf(context, route);
    if (guard !== undefined) guards.set(`${route.table} ${formatPrefix(route.to)}`, guard);
    return { object: "route", tunnel: tunnel.name, spec: specOf(context, route) };
  });
  for (const { spec } of standing) guards.delete(`${spec.table} ${formatPrefix(spec.destination)}`);
  return [...guards.values(), ...own];
}

function specOf(context: TunnelContext, route: RouteConfig): Route {
  const { tunnel, table: owner, ids } = context;
  const { to, via, device, table, metric, source } = route;
  const peer = tunnel.peers.find(({ name }) => name === route.peer);
  const common = {
    ...({ type: "unicast", destination: to, table, metric, source } as const),
    protocol: protocolOf(owner),
  };
  if (peer !== undefined) {
    const nexthop = nexthopId(idOfPeer(ids, peer));
    return { ...common, device: undefined, gateway: undefined, onlink: false, nexthop };
  }
  // A tunnel has no neighbours to ask: whatever the next hop is called, the packet goes to the other end.
  const onlink = via !== undefined && device === undefined;
  const out = device ?? tunnel.interface;
  return { ...common, device: out, gateway: via, onlink, nexthop: undefined };
}

/**
 * Behind a route into the tunnel, as behind those of allowedIPs: when the device is down its packets must
 * not leave by another table's default route. Where others lead to the same network, with whatever metric,
 * they come before it.
 */
function guardOf(
  { tunnel, table: owner }: TunnelContext,
  { to, table, device }: RouteConfig,
): RouteResource | undefined {
  if (device !== undefined) return undefined;
  return {
    object: "route",
    tunnel: tunnel.name,
    spec: {
      ...{ type: "unreachable", destination: to, table, metric: worstMetric(owner) },
      ...{ protocol: protocolOf(owner), device: undefined, gateway: undefined, onlink: false },
      ...{ nexthop: undefined, source: undefined },
    },
  };
}

function rules({ tunnel, table: owner }: TunnelContext): RuleResource[] {
  return tunnel.rules.map(({ from, to, fwmark, table, priority }) => ({
    object: "rule",
    tunnel: tunnel.name,
    spec: {
      ...{ priority, from, to, fwmark, table, invert: false },
      ...{ suppressPrefixLength: undefined, protocol: protocolOf(owner) },
    },
  }));
}

function neighbours({ tunnel, table }: TunnelContext): NeighbourResource[] {
  return tunnel.proxyArp.map(({ address, device }) => ({
    object: "neighbour",
    tunnel: tunnel.name,
    spec: { address, device, protocol: protocolOf(table) },
  }));
}
