/**
 * What the kernel's objects are, as plain values: the vocabulary that the planner, which decides, and
 * the kernel layer, which encodes and decodes, have in common. No message, no number of the kernel's
 * interfaces stands here. Devices are named; whoever talks to the kernel maps names to indexes.
 */
import type { IpAddress, Prefix } from "./address.ts";

/** Any network interface; `ipip` is there when it is an ipip device whose attributes could be read. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `IFLA_INFO_KIND`: "ipip", "veth", …; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  /** Administratively up (IFF_UP). */
  readonly up: boolean;
  /** The layer below is there too (IFF_LOWER_UP): a cable, an access point. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** `IFLA_IFALIAS`: how we know what is ours. */
  readonly alias: string | undefined;
  readonly ipip: IpipAttributes | undefined;
  readonly statistics: LinkStatistics | undefined;
}

export interface LinkStatistics {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
}

/** Everything that one ipip device has; a change must send all of it (what is not sent is reset). */
export interface IpipAttributes {
  readonly local: IpAddress;
  /** undefined: any (NBMA; the next hop is the outer address). */
  readonly remote: IpAddress | undefined;
  /** Underlay device, when the tunnel is bound to one. */
  readonly device: string | undefined;
  /** 0: inherit from the inner packet. */
  readonly ttl: number;
  readonly tos: number;
  readonly pathMtuDiscovery: boolean;
  /** Mark of outer packets for their route look-up; 0: none. */
  readonly fwmark: number;
  readonly fou: FouEncapsulation | undefined;
}

export interface FouEncapsulation {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Outer UDP checksum. */
  readonly checksum: boolean;
}

/** An ipip device as we want it. */
export interface TunnelLink {
  readonly name: string;
  readonly alias: string;
  readonly mtu: number;
  readonly ipip: IpipAttributes;
}

export interface InterfaceAddress {
  readonly device: string;
  readonly local: IpAddress;
  readonly prefixLength: number;
  /** The other side's address, point-to-point form. */
  readonly peer: IpAddress | undefined;
  /** IFA_F_NOPREFIXROUTE: no connected route is made for the prefix. */
  readonly noPrefixRoute: boolean;
  /** `IFA_PROTO` (5.18 and newer); 0: none. */
  readonly protocol: number;
}

export type RouteType =
  | "unicast"
  | "local"
  | "broadcast"
  | "blackhole"
  | "unreachable"
  | "prohibit"
  | "other";

/** Numbers of routing tables (rt_class_t, include/uapi/linux/rtnetlink.h). */
export const MAIN_TABLE = 254;
export const LOCAL_TABLE = 255;

export interface Route {
  readonly type: RouteType;
  readonly destination: Prefix;
  readonly table: number;
  /** Priority; the smallest wins. */
  readonly metric: number;
  readonly protocol: number;
  readonly device: string | undefined;
  readonly gateway: IpAddress | undefined;
  readonly onlink: boolean;
  /** Nexthop object (RTA_NH_ID); then device and gateway are its business. */
  readonly nexthop: number | undefined;
  /** Preferred source. */
  readonly source: IpAddress | undefined;
}

/** A nexthop object (RTM_NEWNEXTHOP). */
export interface Nexthop {
  readonly id: number;
  readonly protocol: number;
  readonly to:
    | { readonly kind: "blackhole" }
    | {
        readonly kind: "gateway";
        readonly gateway: IpAddress;
        readonly device: string;
        readonly onlink: boolean;
      }
    | { readonly kind: "device"; readonly device: string }
    | { readonly kind: "group" };
}

export interface Rule {
  readonly priority: number;
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  readonly fwmark: { readonly value: number; readonly mask: number } | undefined;
  /** Matches what the selectors do not (FIB_RULE_INVERT). */
  readonly invert: boolean;
  readonly table: number;
  /** FRA_SUPPRESS_PREFIXLEN: ignore results with a prefix this short; undefined: none. */
  readonly suppressPrefixLength: number | undefined;
  readonly protocol: number;
}

/** A proxy neighbour entry (NTF_PROXY). */
export interface ProxyNeighbour {
  readonly address: IpAddress;
  readonly device: string;
  /** `NDA_PROTOCOL`: who made it, as of routes; 0: nobody said. */
  readonly protocol: number;
}

/** A FOU receive socket. Identity is everything in it: DEL must match all. */
export interface FouListener {
  readonly port: number;
  readonly local: IpAddress | undefined;
  readonly peer: IpAddress | undefined;
  readonly peerPort: number | undefined;
  readonly device: string | undefined;
  /** The protocol of what is inside: 4 for ours. */
  readonly ipProtocol: number;
  /** "direct" (FOU) is ours; "gue" belongs to someone else. */
  readonly type: "direct" | "gue";
}

/** Maps device names to indexes and back, as of one link dump. */
export interface Devices {
  index(name: string): number | undefined;
  name(index: number): string | undefined;
}
