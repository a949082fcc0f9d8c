/** Names for what the kernel has: which peer stands where, and whose an address is. Pure. */
import { isOpenNode, type PeerConfig, type TunnelConfig } from "../../config/model.ts";
import {
  contains,
  type Endpoint,
  type IpAddress,
  isHost,
  networkOf,
  type Prefix,
  sameEndpoint,
} from "../../net/address.ts";
import type { Link } from "../../net/objects.ts";
import { isPlaceholder, nexthopId } from "../../plan/ids.ts";
import { tunnelOfAlias } from "../../plan/ownership.ts";
import { adoptable, type Left, outerOfStandIns } from "../adopt.ts";
import type { Scene } from "./model.ts";

export interface Owner {
  readonly tunnel: TunnelConfig;
  /** undefined: the address is this host's own in that tunnel. */
  readonly peer: PeerConfig | undefined;
  readonly prefix: Prefix;
}

export class Who {
  readonly #scene: Scene;
  /** Peers that device, nexthop and gate agree about. */
  readonly standing: readonly Left[];

  constructor(scene: Scene) {
    this.#scene = scene;
    const { configuration, ids, observation } = scene;
    this.standing = adoptable(configuration, ids, observation);
  }

  /** Where the peer stands. */
  of(tunnel: TunnelConfig, peer: PeerConfig): Left | undefined {
    return this.standing.find((left) => left.tunnel === tunnel && left.peer === peer);
  }

  /** Who of the tunnel's peers stands at this endpoint. */
  at(tunnel: TunnelConfig, endpoint: Endpoint): Left[] {
    return this.standing.filter((left) => left.tunnel === tunnel && sendsFrom(left, endpoint));
  }

  /** The peer whose gate chain or nexthop has this id. */
  byId(id: number): string | undefined {
    for (const [peer, of] of this.#scene.ids.byPeer) if (of.id === id) return peer.name;
    return undefined;
  }

  /** The same by its nexthop's number. */
  byNexthop(id: number): string | undefined {
    for (const [peer, of] of this.#scene.ids.byPeer) if (nexthopId(of.id) === id) return peer.name;
    return undefined;
  }

  /** Whose inner address it is: the narrowest network decides. Networks that hold everything own nothing. */
  ownerOf(address: IpAddress, among?: TunnelConfig): Owner | undefined {
    let best: Owner | undefined;
    const take = (owner: Owner): void => {
      if (owner.prefix.length === 0 || !contains(owner.prefix, address)) return;
      if (best === undefined || owner.prefix.length > best.prefix.length) best = owner;
    };
    const { tunnels } = this.#scene.configuration;
    for (const tunnel of among === undefined ? tunnels : [among]) {
      for (const { local } of tunnel.addresses) {
        take({ tunnel, peer: undefined, prefix: { address: local, length: 32 } });
      }
      for (const peer of tunnel.peers) {
        for (const prefix of networksOf(tunnel, peer)) take({ tunnel, peer, prefix });
      }
    }
    return best;
  }

  /** The tunnel's device. */
  link(tunnel: TunnelConfig): Link | undefined {
    const { observation, configuration } = this.#scene;
    return observation.links.find(
      ({ name, alias }) =>
        name === tunnel.interface && tunnelOfAlias(configuration.table, alias) === tunnel.name,
    );
  }

  /** The tunnel whose device this is. */
  tunnelOf(device: string | undefined): TunnelConfig | undefined {
    const { tunnels } = this.#scene.configuration;
    return tunnels.find((tunnel) => tunnel.interface === device && this.link(tunnel) !== undefined);
  }

  /** Outer address and port (0: no UDP) on the wire, from the gate or else from the device. */
  door(tunnel: TunnelConfig): Endpoint | undefined {
    const { ruleset, routes } = this.#scene.observation;
    if (ruleset.kind === "ours") {
      const door = ruleset.doors.find((one) => one.tunnel === tunnel.interface);
      if (door !== undefined) return { address: door.local, port: door.port };
    }
    const ipip = this.link(tunnel)?.ipip;
    if (ipip === undefined) return undefined;
    const address = outerOfStandIns(routes).get(ipip.local) ?? ipip.local;
    return isPlaceholder(address) ? undefined : { address, port: ipip.fou?.sourcePort ?? 0 };
  }
}

/** Nodes of a directory send from any port, and without UDP there is none. */
export function sendsFrom({ peer, endpoint: its }: Left, endpoint: Endpoint): boolean {
  if (isOpenNode(peer) || its.port === 0) return its.address === endpoint.address;
  return sameEndpoint(its, endpoint);
}

/** Where a peer's inner addresses are: a single peer without allowedIPs has the other side of ours. */
function networksOf(tunnel: TunnelConfig, { allowedIPs }: PeerConfig): readonly Prefix[] {
  if (allowedIPs !== undefined) return allowedIPs;
  return tunnel.addresses.map(({ local, length, peer }) =>
    networkOf({ address: peer ?? local, length }),
  );
}

/** An inner address that the peer may have: a single one, or the first of a network that is not ours. */
export function innerAddressOf(tunnel: TunnelConfig, peer: PeerConfig): IpAddress | undefined {
  const own = new Set(tunnel.addresses.map(({ local }) => local));
  for (const prefix of networksOf(tunnel, peer)) {
    if (prefix.length === 0 || prefix.address.includes(":")) continue;
    if (isHost(prefix)) {
      if (!own.has(prefix.address)) return prefix.address;
      continue;
    }
    const network = networkOf(prefix).address;
    for (let host = 1; host < 4; host++) {
      const address = plus(network, host);
      if (contains(prefix, address) && !own.has(address)) return address;
    }
  }
  return undefined;
}

function plus(address: IpAddress, number: number): IpAddress {
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) + number;
  const parts = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
  return parts.join(".") as IpAddress;
}
