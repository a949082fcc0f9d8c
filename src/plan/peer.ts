/** The part of the desired state that follows one peer's endpoint: what a roam touches, and no more. */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { type IpAddress, type Prefix, parsePrefix } from "../net/address.ts";
import type { Nexthop } from "../net/objects.ts";
import { formOfTunnel } from "./form.ts";
import { fullTunnelOf, fullTunnelRules, isFull } from "./full-tunnel.ts";
import type { GatePeer } from "./gate.ts";
import { type Ids, idOf, idOfPeer, nexthopId, placeholder } from "./ids.ts";
import { aliasOf, protocolOf } from "./ownership.ts";
import type {
  FouResource,
  LinkResource,
  NexthopResource,
  Resource,
  RuleResource,
} from "./resources.ts";
import type { KnownEndpoint, Underlay } from "./situation.ts";

const ANY: Prefix = parsePrefix("0.0.0.0/0") ?? { address: "0.0.0.0" as IpAddress, length: 0 };
const IPPROTO_IPIP = 4;
/** More is EINVAL (net/ipv4/ip_tunnel.c), which a tunnel over the loopback device would run into. */
const LARGEST_MTU = 65_535 - 28;

export interface TunnelContext {
  readonly table: string;
  readonly ids: Ids;
  readonly tunnel: TunnelConfig;
  readonly underlay: Underlay;
  /** Mark of outer packets; 0: none. */
  readonly fwmark: number;
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
  if (formOfTunnel(context.tunnel) === "hub") return [nexthop(context, peer, known), ...rules];
  return [linkOfDirect(context, peer, known), ...listenerOfDirect(context, known), ...rules];
}

function rulesOf(
  { tunnel, table, underlay }: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): RuleResource[] {
  const full = isFull(peer) ? fullTunnelOf(tunnel) : undefined;
  if (full === undefined) return [];
  const remote = known?.endpoint.address;
  return fullTunnelRules(tunnel, full, { table, peer, local: underlay.local, remote });
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
    endpoint: known?.endpoint,
    inner: peer.allowedIPs ?? [ANY],
    others,
    lifetime: peer.authLifetime,
    remaining: known?.remaining,
  };
}

export function localOf({ underlay, ids, tunnel }: TunnelContext): IpAddress {
  return underlay.local ?? placeholder(idOf(ids, tunnel.name));
}

/** The device of any tunnel, but for what its form decides. */
export function tunnelLink(
  context: TunnelContext,
  remote: IpAddress | undefined,
  destinationPort: number,
  peer?: number,
): LinkResource {
  const { table, tunnel, underlay, fwmark } = context;
  return {
    object: "link",
    tunnel: tunnel.name,
    spec: {
      name: tunnel.interface,
      alias: aliasOf(table, tunnel.name, peer),
      // Outer IPv4 and UDP headers: 20 + 8 bytes.
      mtu: tunnel.mtu ?? Math.min(underlay.mtu - 28, LARGEST_MTU),
      up: true,
      ipip: {
        local: localOf(context),
        remote,
        device: underlay.device,
        ttl: tunnel.ttl,
        tos: 0,
        pathMtuDiscovery: true,
        fwmark,
        fou: {
          sourcePort: underlay.port,
          destinationPort,
          checksum: tunnel.checksum ?? false,
        },
      },
    },
  };
}

/** None while the outer address is not known: bind(2) refuses a placeholder, which is no address of ours. */
export function listener(
  { tunnel, underlay }: TunnelContext,
  peer: IpAddress | undefined,
  peerPort: number | undefined,
): FouResource[] {
  const { local, port, device } = underlay;
  if (local === undefined) return [];
  const spec = { port, local, peer, peerPort, device, ipProtocol: IPPROTO_IPIP } as const;
  return [{ object: "fou", tunnel: tunnel.name, spec: { ...spec, type: "direct" } }];
}

function linkOfDirect(
  context: TunnelContext,
  peer: PeerConfig,
  known: KnownEndpoint | undefined,
): LinkResource {
  const { address, port } = known?.endpoint ?? stand(context, peer);
  const id = idOfPeer(context.ids, peer);
  return tunnelLink(context, address, port, id);
}

/**
 * Connected, so that the socket look-up proves address and port once more. Before the first proof it is
 * not: connect(2) to a placeholder fails at the route that keeps placeholders in.
 */
function listenerOfDirect(context: TunnelContext, known: KnownEndpoint | undefined): FouResource[] {
  return listener(context, known?.endpoint.address, known?.endpoint.port);
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
  const to: Nexthop["to"] =
    known === undefined
      ? { kind: "blackhole" }
      : {
          kind: "gateway",
          gateway: known.endpoint.address,
          device: tunnel.interface,
          onlink: true,
        };
  const id = nexthopId(idOfPeer(ids, peer));
  return { object: "nexthop", tunnel: tunnel.name, spec: { id, protocol: protocolOf(table), to } };
}
