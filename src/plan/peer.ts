/** The part of the desired state that follows one peer's endpoint: what a roam touches, and no more. */
import { isOpenNode, type PeerConfig, type TunnelConfig } from "../config/model.ts";
import { type Endpoint, type IpAddress, type Prefix, parsePrefix } from "../net/address.ts";
import { LOCAL_TABLE, MAIN_TABLE, type Nexthop, type Route } from "../net/objects.ts";
import { formOfTunnel, isPlain } from "./form.ts";
import { fullTunnelOf, fullTunnelRules, isFull } from "./full-tunnel.ts";
import type { GatePeer, GatePlain } from "./gate.ts";
import { type Ids, idOf, idOfPeer, isPlaceholder, nexthopId, placeholder } from "./ids.ts";
import { aliasOf, protocolOf, worstMetric } from "./ownership.ts";
import type {
  FouResource,
  LinkResource,
  NexthopResource,
  Resource,
  RouteResource,
  RuleResource,
} from "./resources.ts";
import type { KnownEndpoint, Underlay } from "./situation.ts";

const ANY: Prefix = parsePrefix("0.0.0.0/0") ?? { address: "0.0.0.0" as IpAddress, length: 0 };
const IPPROTO_IPIP = 4;
const IP_HEADER = 20;
const UDP_HEADER = 8;
/** More is EINVAL (net/ipv4/ip_tunnel.c), which a tunnel over the loopback device would run into. */
const LARGEST_MTU = 65_535 - IP_HEADER - UDP_HEADER;

export interface TunnelContext {
  readonly table: string;
  readonly ids: Ids;
  readonly tunnel: TunnelConfig;
  readonly underlay: Underlay;
  /** Mark of outer packets; 0: none. */
  readonly fwmark: number;
  /** Its device can't have its outer address, whatever its peers do: see form.ts. */
  readonly translated: boolean;
}

/**
 * The kernel objects that hold this peer's endpoint: device and listener of a direct tunnel, the nexthop
 * of a hub's peer. Without an endpoint the placeholder stands in its place.
 */
export function endpointResources(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): Resource[] {
  const rules = rulesOf(context, peer, known);
  if (formOfTunnel(context.tunnel) === "hub") {
    return [nexthop(context, peer, known), ...idRoute(context, peer, known), ...rules];
  }
  const standIn = standInOf(context, known);
  return [
    linkOfDirect(context, peer, known, standIn),
    ...listenersOfDirect(context, known, standIn),
    ...standInRoute(context, standIn),
    ...rules,
  ];
}

function rulesOf(
  { tunnel, table, underlay, fwmark }: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): RuleResource[] {
  const full = isFull(peer) ? fullTunnelOf(tunnel) : undefined;
  if (full === undefined) return [];
  const remote = known?.endpoint.address;
  const route = { mark: fwmark, table, peer, local: underlay.local, remote };
  return fullTunnelRules(tunnel, full, route);
}

/**
 * What a translated tunnel's device has in place of the outer address: the tunnel's id.
 *
 * @param only Where the peer of a direct tunnel is.
 */
export function standInOf(
  { tunnel, ids, underlay, translated }: TunnelContext,
  only: KnownEndpoint | undefined,
): IpAddress | undefined {
  if (underlay.local === undefined) return undefined;
  const collides = formOfTunnel(tunnel) === "direct" && only?.translated === true;
  return translated || collides ? placeholder(idOf(ids, tunnel.name)) : undefined;
}

export function gatePeer(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
  others: readonly Prefix[] = [],
): GatePeer {
  return {
    id: idOfPeer(context.ids, peer),
    name: peer.name,
    anyPort: isOpenNode(peer),
    endpoint: known?.endpoint,
    translated: known?.translated ?? false,
    second: known?.second ?? false,
    inner: peer.allowedIPs ?? [ANY],
    others,
    lifetime: peer.authLifetime,
    remaining: known?.remaining,
  };
}

/** What of the gate a tunnel without UDP has. @param known Where its peer is. */
export function plainGate(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
  conntrack: GatePlain["conntrack"],
): GatePlain {
  return {
    name: context.tunnel.interface,
    local: localOf(context),
    remote: known?.endpoint.address,
    inner: peer.allowedIPs ?? [ANY],
    conntrack,
  };
}

export function localOf({ underlay, ids, tunnel }: TunnelContext): IpAddress {
  return underlay.local ?? placeholder(idOf(ids, tunnel.name));
}

export function mtuOf({ tunnel, underlay }: TunnelContext): number {
  const overhead = IP_HEADER + (isPlain(tunnel) ? 0 : UDP_HEADER);
  return tunnel.mtu ?? Math.min(underlay.mtu - overhead, LARGEST_MTU);
}

/** Where a device points, and what its alias says of it. */
interface Pointing {
  /** undefined: a hub's device, which is told by each packet's next hop. */
  readonly remote: IpAddress | undefined;
  readonly destinationPort: number;
  /** Id of a direct tunnel's peer. */
  readonly peer?: number;
  readonly standIn: IpAddress | undefined;
}

/** The device of any tunnel, but for what its form decides. */
export function tunnelLink(
  context: TunnelContext,
  { remote, destinationPort, peer, standIn }: Pointing,
): LinkResource {
  const { table, tunnel, underlay, fwmark } = context;
  const plain = isPlain(tunnel);
  return {
    object: "link",
    tunnel: tunnel.name,
    spec: {
      name: tunnel.interface,
      alias: aliasOf(table, tunnel.name, peer),
      mtu: mtuOf(context),
      up: true,
      ipip: {
        local: standIn ?? localOf(context),
        remote,
        // To a placeholder no device: on a bound one the kernel takes it for a neighbour's address, and the
        // route that keeps placeholders in is not asked (ip_route_output_key_hash_rcu, net/ipv4/route.c).
        device: remote !== undefined && isPlaceholder(remote) ? undefined : underlay.device,
        ttl: tunnel.ttl,
        tos: tunnel.tos,
        pathMtuDiscovery: tunnel.pathMtuDiscovery,
        fwmark,
        fou: plain
          ? undefined
          : {
              sourcePort: underlay.port,
              destinationPort,
              checksum: tunnel.checksum ?? false,
            },
      },
    },
  };
}

/**
 * None while the outer address is not known: bind(2) refuses a placeholder, which is no address of ours.
 * A translated tunnel has two: packets are delivered to the stand-in's, and the other keeps the port and
 * is the one that GRO finds by the address on the wire.
 */
export function listeners(
  { tunnel, underlay }: TunnelContext,
  to: Endpoint | undefined,
  standIn: IpAddress | undefined,
): FouResource[] {
  const { local: outer, port, device } = underlay;
  if (outer === undefined || isPlain(tunnel)) return [];
  const locals = standIn === undefined ? [outer] : [outer, standIn];
  return locals.map((local) => ({
    object: "fou",
    tunnel: tunnel.name,
    spec: {
      ...{ port, local, peer: to?.address, peerPort: to?.port, device },
      ...{ ipProtocol: IPPROTO_IPIP, type: "direct" },
    },
  }));
}

/**
 * Makes the stand-in an address of this host, for routing, for bind(2) and for what the device sends. Its
 * preferred source says which outer address it stands for: so a listener is known as ours without the gate.
 */
export function standInRoute(
  { tunnel, table, underlay }: TunnelContext,
  standIn: IpAddress | undefined,
): RouteResource[] {
  if (standIn === undefined) return [];
  const own = { type: "local", table: LOCAL_TABLE, source: underlay.local } as const;
  return [onLoopback(tunnel.name, table, standIn, own)];
}

/**
 * A way for packets to a translated peer's id to reach the gate, which writes the real address; without it
 * they would stop at the blackhole, and without the gate they end on the loopback device.
 */
function idRoute(
  { tunnel, table, ids }: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): RouteResource[] {
  if (known?.translated !== true) return [];
  const id = placeholder(idOfPeer(ids, peer));
  return [
    onLoopback(tunnel.name, table, id, { type: "unicast", table: MAIN_TABLE, source: undefined }),
  ];
}

function onLoopback(
  tunnel: string,
  table: string,
  address: IpAddress,
  own: Pick<Route, "type" | "table" | "source">,
): RouteResource {
  return {
    object: "route",
    tunnel,
    spec: {
      ...own,
      destination: { address, length: 32 },
      // The sign that it is ours.
      metric: worstMetric(table),
      protocol: protocolOf(table),
      device: "lo",
      gateway: undefined,
      onlink: false,
      nexthop: undefined,
    },
  };
}

function linkOfDirect(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
  standIn: IpAddress | undefined,
): LinkResource {
  const { address, port } = known?.endpoint ?? stand(context, peer);
  const id = idOfPeer(context.ids, peer);
  return tunnelLink(context, { remote: address, destinationPort: port, peer: id, standIn });
}

/**
 * Connected, so that the socket look-up proves address and port once more. Before the first proof it is
 * not: connect(2) to a placeholder fails at the route that keeps placeholders in.
 */
function listenersOfDirect(
  context: TunnelContext,
  known: KnownEndpoint | undefined,
  standIn: IpAddress | undefined,
): FouResource[] {
  return listeners(context, known?.endpoint, standIn);
}

/** Where a direct tunnel points while its peer is not proven; the port only has to be some port. */
function stand({ ids, underlay }: TunnelContext, peer: PeerConfig) {
  return { address: placeholder(idOfPeer(ids, peer)), port: underlay.port };
}

function nexthop(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): NexthopResource {
  const { ids, tunnel, table } = context;
  const id = idOfPeer(ids, peer);
  const to: Nexthop["to"] =
    known === undefined
      ? { kind: "blackhole" }
      : {
          kind: "gateway",
          gateway: known.translated ? placeholder(id) : known.endpoint.address,
          device: tunnel.interface,
          onlink: true,
        };
  const spec = { id: nexthopId(id), protocol: protocolOf(table), to };
  return { object: "nexthop", tunnel: tunnel.name, spec };
}
