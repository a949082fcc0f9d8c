/** What the planner is told about the world beside the configuration. */
import type { Endpoint, IpAddress } from "../net/address.ts";
import type { Standing } from "./standing.ts";

export interface Situation {
  /** By tunnel name; every tunnel has one. */
  readonly underlays: ReadonlyMap<string, Underlay>;
  /** By `tunnel/peer`: endpoints that stand now (proven, dialled or static). */
  readonly endpoints: Pick<ReadonlyMap<string, KnownEndpoint>, "get">;
  /** ipip devices of others on this host that take bare protocol 4. */
  readonly foreignIpip: readonly ForeignIpip[];
  /** Seconds since 1970. */
  readonly now: number;
}

/** Where a tunnel's outer packets leave and arrive. */
export interface Underlay {
  /** undefined while the device has no address. */
  readonly local: IpAddress | undefined;
  /** Device that the configuration binds the tunnel to; undefined also while it is not there. */
  readonly device: string | undefined;
  /** Of the device that outer packets use: one that goes and comes again under its name is another one. */
  readonly index: number | undefined;
  /** MTU of the device that outer packets use. */
  readonly mtu: number;
  /** Our UDP port; 0 where there is no UDP. */
  readonly port: number;
}

export interface KnownEndpoint extends Standing {
  readonly endpoint: Endpoint;
  /** Milliseconds left of a proof that was found in the kernel; undefined: fresh, or without end. */
  readonly remaining: number | undefined;
}

export interface ForeignIpip {
  readonly device: string;
  readonly local: IpAddress;
  readonly remote: IpAddress | undefined;
}
