/** What a dead daemon left in the kernel, read as what it knew. Pure. */
import {
  type Configuration,
  isOpenNode,
  type PeerConfig,
  type TunnelConfig,
} from "../config/model.ts";
import type { Endpoint, IpAddress } from "../net/address.ts";
import type { Nexthop } from "../net/objects.ts";
import { formOfTunnel, isPlain } from "../plan/form.ts";
import { type Ids, idOfPeer, isPlaceholder, nexthopId, placeholder } from "../plan/ids.ts";
import { aliasOf } from "../plan/ownership.ts";
import type { LinkResource } from "../plan/resources.ts";
import type { Observation } from "./observation.ts";

/** A peer that still stands. */
export interface Left {
  readonly tunnel: TunnelConfig;
  readonly peer: PeerConfig;
  readonly endpoint: Endpoint;
  /** Milliseconds left of its proof; undefined: without end. */
  readonly remaining: number | undefined;
  /** It was translated because another had its place. */
  readonly translated: boolean;
}

/** Peers that still stand: those that have a place to themselves before those that came to it later. */
export function adoptable(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
): readonly Left[] {
  const there = readable(observation);
  const found: Left[] = [];
  for (const tunnel of configuration.tunnels) {
    const link = there.links.get(tunnel.interface);
    if (link === undefined) continue;
    const direct = formOfTunnel(tunnel) === "direct";
    for (const peer of tunnel.peers) {
      const id = idOfPeer(ids, peer);
      const at = direct
        ? pointedAt(link, aliasOf(configuration.table, tunnel.name, id))
        : ledTo(there, tunnel.interface, id);
      // Only what the gate still lets in is proven; its element also knows the time left.
      const proof = at && provenAt(there, tunnel, peer, at.endpoint);
      if (at === undefined || proof === undefined) continue;
      const { endpoint, translated } = at;
      found.push({ tunnel, peer, endpoint, remaining: proof.remaining, translated });
    }
  }
  return [
    ...found.filter(({ translated }) => !translated),
    ...found.filter(({ translated }) => translated),
  ];
}

/** Without UDP nothing is proven: the device says where the peer is; and of a node its next hop. */
function provenAt(there: Readable, tunnel: TunnelConfig, peer: PeerConfig, at: Endpoint) {
  if (isPlain(tunnel) || isOpenNode(peer)) return { remaining: undefined };
  return there.proofs.get(proofKey(tunnel.interface, at));
}

interface Found {
  readonly endpoint: Endpoint;
  readonly translated: boolean;
}

/** The id in the alias stands for name and key: what another key had is not this peer's. */
function pointedAt({ alias, ipip }: LinkResource["spec"], wanted: string): Found | undefined {
  const { remote, fou, local } = ipip;
  if (alias !== wanted || remote === undefined || isPlaceholder(remote)) return undefined;
  const endpoint = { address: remote, port: fou?.destinationPort ?? 0 };
  return { endpoint, translated: isPlaceholder(local) };
}

/** A peer of a hub: its nexthop says by what name the gate knows its endpoint. */
function ledTo(there: Readable, device: string, id: number): Found | undefined {
  const nexthop = there.nexthops.get(nexthopId(id));
  if (nexthop?.to.kind !== "gateway") return undefined;
  const { gateway } = nexthop.to;
  const endpoint = there.destinations.get(`${device} ${gateway}`);
  const translated = isPlaceholder(gateway);
  if (endpoint === undefined || (translated && gateway !== placeholder(id))) return undefined;
  return { endpoint, translated };
}

interface Readable {
  readonly links: ReadonlyMap<string, LinkResource["spec"]>;
  readonly nexthops: ReadonlyMap<number, Nexthop>;
  /** By {@link proofKey}. */
  readonly proofs: ReadonlyMap<string, { readonly remaining: number | undefined }>;
  /** By device and next hop. */
  readonly destinations: ReadonlyMap<string, Endpoint>;
}

function readable({ resources, ruleset }: Observation): Readable {
  const links = new Map<string, LinkResource["spec"]>();
  const nexthops = new Map<number, Nexthop>();
  for (const { object, spec } of resources) {
    if (object === "link") links.set(spec.name, spec);
    else if (object === "nexthop") nexthops.set(spec.id, spec);
  }
  const { proofs, destinations } =
    ruleset.kind === "ours" ? ruleset : { proofs: [], destinations: [] };
  return {
    links,
    nexthops,
    proofs: new Map(proofs.map((proof) => [proofKey(proof.tunnel, proof.endpoint), proof])),
    destinations: new Map(
      destinations.map(({ tunnel, nextHop, endpoint }) => [`${tunnel} ${nextHop}`, endpoint]),
    ),
  };
}

function proofKey(device: string, { address, port }: Endpoint): string {
  return `${device} ${address} ${port}`;
}

/** The port of a tunnel that chose one itself, where its device still stands. */
export function portInUse(observation: Observation, device: string): number | undefined {
  for (const resource of observation.resources) {
    if (resource.object === "link" && resource.spec.name === device) {
      return resource.spec.ipip.fou?.sourcePort;
    }
  }
  return undefined;
}

/** The outer address that a stand-in stands for, by the stand-in. */
export function outerOfStandIns(
  routes: readonly {
    readonly destination: { readonly address: IpAddress };
    readonly source: IpAddress | undefined;
  }[],
): ReadonlyMap<IpAddress, IpAddress> {
  return new Map(
    routes.flatMap(({ destination, source }) =>
      source !== undefined && isPlaceholder(destination.address)
        ? [[destination.address, source] as const]
        : [],
    ),
  );
}
