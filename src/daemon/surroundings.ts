/** Where each tunnel leaves and arrives now, as the host's addresses, devices and routes have it. */
import { isDeepStrictEqual } from "node:util";
import { lookAtHost } from "../apply/look.ts";
import type { Observation } from "../apply/observation.ts";
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration, TunnelConfig } from "../config/model.ts";
import type { Endpoint, IpAddress } from "../net/address.ts";
import { foreignIpipOf } from "../plan/foreign.ts";
import { formOfTunnel, translatedTunnels } from "../plan/form.ts";
import { marksOf } from "../plan/full-tunnel.ts";
import { type Ids, idOf, placeholder } from "../plan/ids.ts";
import type { ForeignIpip, Situation, Underlay } from "../plan/situation.ts";
import { followsDefaultRoute, underlayOf } from "../plan/underlay.ts";
import type { Peer } from "../tunnel/peers.ts";
import type { NewWays } from "./host-news.ts";
import type { Way } from "./raw-senders.ts";

export interface Moved {
  /** Tunnels whose outer address, device or MTU is another now. */
  readonly tunnels: readonly TunnelConfig[];
  /** Tunnels, these or others, that may leave by a new way: their peers have to hear of it. */
  readonly rerouted: readonly TunnelConfig[];
  /** ipip devices of others have come or gone. */
  readonly foreign: boolean;
}

export class Surroundings {
  #configuration: Configuration;
  #ids: Ids;
  #marks: ReadonlyMap<string, number>;
  readonly #sockets: Sockets;
  readonly #underlays = new Map<string, Underlay>();
  #foreign: readonly ForeignIpip[] = [];
  #translated: ReadonlySet<string> = new Set();

  constructor(configuration: Configuration, ids: Ids, sockets: Sockets) {
    this.#configuration = configuration;
    this.#ids = ids;
    this.#marks = marksOf(configuration.tunnels);
    this.#sockets = sockets;
  }

  /** Tunnels have other peers now. */
  exchange(configuration: Configuration, ids: Ids): void {
    this.#configuration = configuration;
    this.#ids = ids;
    this.#marks = marksOf(configuration.tunnels);
  }

  /** Whether all routes have to be looked at, and not just our own. */
  get followsDefaultRoute(): boolean {
    return this.#configuration.tunnels.some(followsDefaultRoute);
  }

  /** The first look. */
  take({ links }: Observation, { underlays }: Situation): void {
    for (const [name, underlay] of underlays) this.#underlays.set(name, underlay);
    this.#foreign = foreignIpipOf(links, this.#configuration.table);
    this.#share();
  }

  /** Looks again: do our tunnels still leave from where they did? */
  async follow(ways: NewWays): Promise<Moved> {
    const host = await lookAtHost(this.#sockets, this.followsDefaultRoute);
    const tunnels = this.#configuration.tunnels.filter((tunnel) => {
      const before = this.underlay(tunnel);
      const now = underlayOf(tunnel, host, before.port);
      this.#underlays.set(tunnel.name, now);
      return !isDeepStrictEqual(before, now);
    });
    const moved = new Set(tunnels);
    const rerouted = this.#configuration.tunnels.filter(
      (tunnel) => moved.has(tunnel) || this.#leavesBy(tunnel, ways),
    );
    const before = JSON.stringify(this.#foreign);
    this.#foreign = foreignIpipOf(host.links, this.#configuration.table);
    this.#share();
    return { tunnels, rerouted, foreign: JSON.stringify(this.#foreign) !== before };
  }

  #leavesBy(tunnel: TunnelConfig, { devices, defaultRoute }: NewWays): boolean {
    if (defaultRoute && tunnel.listen.device === undefined) return true;
    const { index } = this.underlay(tunnel);
    return index !== undefined && devices.has(index);
  }

  /** For the planner. */
  situation(endpoints: Situation["endpoints"]): Situation {
    const now = Date.now() / 1000;
    return { underlays: this.#underlays, endpoints, foreignIpip: this.#foreign, now };
  }

  /** Devices of somebody else: the kernel gives a pair of outer addresses to one only. */
  get foreign(): readonly ForeignIpip[] {
    return this.#foreign;
  }

  /** Whether its outer address is another tunnel's too, and that one has it. */
  isTranslated(tunnel: TunnelConfig): boolean {
    return this.#translated.has(tunnel.name);
  }

  underlay(tunnel: TunnelConfig): Underlay {
    const underlay = this.#underlays.get(tunnel.name);
    if (underlay === undefined) throw new RangeError(`tunnel ${tunnel.name} has no underlay yet`);
    return underlay;
  }

  /** By which authentications leave: as data does. */
  wayOf(tunnel: TunnelConfig): Way {
    const { device, index } = this.underlay(tunnel);
    return { mark: this.markOf(tunnel), device, index };
  }

  /** Of outer packets. */
  markOf({ name }: TunnelConfig): number {
    return this.#marks.get(name) ?? 0;
  }

  /** The outer address, or the tunnel's placeholder while there is none. */
  localOf(tunnel: TunnelConfig): IpAddress {
    return this.underlay(tunnel).local ?? placeholder(idOf(this.#ids, tunnel.name));
  }

  /** What its device has: not the outer address where the tunnel is translated. */
  deviceLocalOf(tunnel: TunnelConfig): IpAddress {
    return this.isTranslated(tunnel)
      ? placeholder(idOf(this.#ids, tunnel.name))
      : this.localOf(tunnel);
  }

  /**
   * What a packet of our own to this peer is addressed to. What leaves from a hub's address and port passes
   * the chain that writes ports and addresses, whoever sends it.
   */
  nextHop({ key, tunnel, standing }: Peer, to: Endpoint): Endpoint {
    const passes = formOfTunnel(tunnel) === "hub" && !this.isTranslated(tunnel);
    if (!passes || !standing.translated) return to;
    return { ...to, address: placeholder(idOf(this.#ids, key)) };
  }

  #share(): void {
    const outside = { underlays: this.#underlays, foreignIpip: this.#foreign };
    this.#translated = translatedTunnels(this.#configuration.tunnels, outside);
  }
}
