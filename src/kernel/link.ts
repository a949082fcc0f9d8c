/**
 * Network interfaces: RTM_*LINK, struct ifinfomsg (net/core/rtnetlink.c), and ipip devices with their FOU
 * encapsulation (net/ipv4/ipip.c, include/uapi/linux/if_tunnel.h).
 *
 * All of it by our own tables: the package `netlink` has linkinfo's data as bytes, writes nests without
 * NLA_F_NESTED, and has no table for ipip.
 */
import type { IpAddress } from "../net/address.ts";
import type {
  Devices,
  FouEncapsulation,
  IpipAttributes,
  Link,
  LinkStatistics,
  TunnelLink,
} from "../net/objects.ts";
import {
  attr,
  encoded,
  flag,
  ip,
  MalformedMessage,
  nested,
  readS32,
  readU32,
  string,
  table,
  text,
  u8,
  u16,
  u16be,
  u32,
  u64,
  type Values,
  writeS32,
  writeU32,
} from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../netlink/constants.ts";
import type { Message, Request } from "../netlink/request.ts";
import { AF_UNSPEC, decoding, deviceIndex, deviceName, requireHeader } from "./rtnetlink.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

export const IFF_UP = 1;
export const IFF_LOWER_UP = 0x10000;

/** Leaves IPv6's counters out of the answer (and only those): a third of its bytes. */
export const RTEXT_FILTER_SKIP_STATS = 8;

/** The inner protocol of ipip devices; another one would let MPLS through. */
export const IPPROTO_IPIP = 4;

export const TUNNEL_ENCAP_NONE = 0;
export const TUNNEL_ENCAP_FOU = 1;

export const TUNNEL_ENCAP_FLAG_CSUM = 1;

/** sizeof(struct ifinfomsg): family, pad, type (u16), index (s32), flags (u32), change mask (u32). */
const IFINFOMSG = 16;

const KIND = "ipip";

export const LINK_INFO = table({
  kind: attr(1, text, "IFLA_INFO_KIND"),
  /** Its table depends on the kind. */
  data: attr(2, encoded, "IFLA_INFO_DATA"),
});

export const LINK = table({
  name: attr(3, string, "IFLA_IFNAME"),
  mtu: attr(4, u32, "IFLA_MTU"),
  info: attr(18, nested(LINK_INFO), "IFLA_LINKINFO"),
  alias: attr(20, text, "IFLA_IFALIAS"),
  /** struct rtnl_link_stats64 */
  statistics: attr(23, encoded, "IFLA_STATS64"),
  extensions: attr(29, u32, "IFLA_EXT_MASK"),
});

/** The attributes by which a device is known, for messages that are read for nothing else. */
const DEVICE = table({ name: LINK.attributes.name });

export const IPTUN = table({
  device: attr(1, u32, "IFLA_IPTUN_LINK"),
  local: attr(2, ip, "IFLA_IPTUN_LOCAL"),
  remote: attr(3, ip, "IFLA_IPTUN_REMOTE"),
  ttl: attr(4, u8, "IFLA_IPTUN_TTL"),
  tos: attr(5, u8, "IFLA_IPTUN_TOS"),
  protocol: attr(9, u8, "IFLA_IPTUN_PROTO"),
  pathMtuDiscovery: attr(10, u8, "IFLA_IPTUN_PMTUDISC"),
  encapType: attr(15, u16, "IFLA_IPTUN_ENCAP_TYPE"),
  encapFlags: attr(16, u16, "IFLA_IPTUN_ENCAP_FLAGS"),
  encapSourcePort: attr(17, u16be, "IFLA_IPTUN_ENCAP_SPORT"),
  encapDestinationPort: attr(18, u16be, "IFLA_IPTUN_ENCAP_DPORT"),
  collectMetadata: attr(19, flag, "IFLA_IPTUN_COLLECT_METADATA"),
  fwmark: attr(20, u32, "IFLA_IPTUN_FWMARK"),
});

/**
 * A new ipip device, down and **without its alias**: the kernel ignores IFLA_IFALIAS where it makes a device
 * (rtnl_create_link). So send setLinkAlias() right behind, best in one requestAll().
 * EEXIST: the name or the index is taken, or another device has this local and remote. A fixed ttl turns
 * path-MTU discovery on, whatever is said of that (ip_tunnel_netlink_parms).
 *
 * @param index The device's own; 0: the kernel chooses.
 */
export function newLink(link: TunnelLink, devices: Devices, index = 0): Request {
  const operation = `RTM_NEWLINK ${link.name}`;
  return {
    operation,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: linkPayload(index, { name: link.name, ...settings(link, devices, operation) }),
  };
}

/**
 * Gives a device everything that `link` says, but its name. The kernel resets most of what is not sent and
 * keeps the rest, so all of it goes; a remote can't change from an address to any, nor back (EINVAL). Not
 * atomic: a change that ends in EEXIST has set the encapsulation already.
 */
export function changeLink(index: number, link: TunnelLink, devices: Devices): Request {
  const operation = `RTM_NEWLINK ${link.name} (change)`;
  const payload = linkPayload(index, {
    alias: link.alias,
    ...settings(link, devices, operation),
  });
  return { operation, type: RTM_NEWLINK, flags: 0, payload };
}

export function deleteLink(index: number): Request {
  return {
    operation: `RTM_DELLINK index ${index}`,
    type: RTM_DELLINK,
    flags: 0,
    payload: linkPayload(index, {}),
  };
}

/** By name, it can follow newLink() before the index is known. An empty alias removes it. */
export function setLinkAlias(which: string | number, alias: string): Request {
  const name = typeof which === "string" ? which : undefined;
  return {
    operation: `RTM_NEWLINK ${name ?? `index ${which}`} alias`,
    type: RTM_NEWLINK,
    flags: 0,
    payload: linkPayload(typeof which === "number" ? which : 0, { name, alias }),
  };
}

/** Administratively up, or down. By name, it can follow newLink() before the index is known. */
export function setLinkUp(which: string | number, up = true): Request {
  const name = typeof which === "string" ? which : undefined;
  const payload = linkPayload(typeof which === "number" ? which : 0, { name });
  writeU32(payload, up ? IFF_UP : 0, 8);
  writeU32(payload, IFF_UP, 12);
  const operation = `RTM_NEWLINK ${name ?? `index ${which}`} ${up ? "up" : "down"}`;
  return { operation, type: RTM_NEWLINK, flags: 0, payload };
}

/** @param ipv6Statistics false: without the counters of IPv6, which nobody here reads. */
export function dumpLinks(ipv6Statistics = false): Request {
  const values = ipv6Statistics ? {} : { extensions: RTEXT_FILTER_SKIP_STATS };
  return {
    operation: "RTM_GETLINK",
    type: RTM_GETLINK,
    flags: 0,
    payload: linkPayload(0, values),
  };
}

/** Those of a kind; all, where the kernel does not know it (linkinfo_to_kind_ops). */
export function dumpLinksOfKind(kind: string): Request {
  return {
    operation: `RTM_GETLINK type ${kind}`,
    type: RTM_GETLINK,
    flags: 0,
    payload: linkPayload(0, { extensions: RTEXT_FILTER_SKIP_STATS, info: { kind } }),
  };
}

/** One device; the reply is a message for decodeLink(). ENODEV: there is none. */
export function getLink(which: string | number): Request {
  const name = typeof which === "string" ? which : undefined;
  return {
    operation: `RTM_GETLINK ${name ?? `index ${which}`}`,
    type: RTM_GETLINK,
    flags: 0,
    payload: linkPayload(typeof which === "number" ? which : 0, { name }),
  };
}

/**
 * Of RTM_NEWLINK and of RTM_DELLINK (a notification: the device is gone); undefined for anything else.
 *
 * @param devices Names the underlay of bound tunnels.
 */
export function decodeLink(message: Message, devices: Devices): Link | undefined {
  if (!isLink(message)) return undefined;
  return decoding(messageName(message), () => {
    const { payload } = message;
    const values = LINK.decode(payload, IFINFOMSG);
    if (values.name === undefined) return undefined;
    const kind = values.info?.kind;
    const data = values.info?.data;
    return {
      index: readS32(payload, 4),
      name: values.name,
      kind,
      up: (readU32(payload, 8) & IFF_UP) !== 0,
      carrier: (readU32(payload, 8) & IFF_LOWER_UP) !== 0,
      mtu: values.mtu ?? 0,
      alias: values.alias,
      ipip: kind === KIND && data !== undefined ? decodeIpip(data, devices) : undefined,
      statistics: decodeStatistics(values.statistics),
    };
  });
}

/** Name and index alone; cheaper than decodeLink(), and needs no devices. */
export function decodeDevice(message: Message): { name: string; index: number } | undefined {
  if (!isLink(message)) return undefined;
  return decoding(messageName(message), () => {
    const { name } = DEVICE.decode(message.payload, IFINFOMSG);
    return name === undefined ? undefined : { name, index: readS32(message.payload, 4) };
  });
}

/** AF_BRIDGE has messages of the same type about ports: RTM_DELLINK there is no end of a device. */
function isLink(message: Message): boolean {
  if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return false;
  requireHeader(message, messageName(message), IFINFOMSG);
  return message.payload[0] === AF_UNSPEC;
}

function messageName(message: Message): string {
  return message.type === RTM_NEWLINK ? "RTM_NEWLINK" : "RTM_DELLINK";
}

function linkPayload(index: number, values: Values<typeof LINK.attributes>): Buffer {
  const payload = LINK.encode(values, IFINFOMSG);
  writeS32(payload, index, 4);
  return payload;
}

function settings(
  link: TunnelLink,
  devices: Devices,
  operation: string,
): Values<typeof LINK.attributes> {
  const { ipip } = link;
  const device =
    ipip.device === undefined ? undefined : deviceIndex(devices, ipip.device, operation);
  return {
    mtu: link.mtu,
    info: { kind: KIND, data: IPTUN.encode(ipipValues(ipip, device)) },
  };
}

function ipipValues(
  ipip: IpipAttributes,
  device: number | undefined,
): Values<typeof IPTUN.attributes> {
  return {
    device,
    local: ipip.local,
    remote: ipip.remote,
    ttl: ipip.ttl,
    tos: ipip.tos,
    pathMtuDiscovery: ipip.pathMtuDiscovery ? 1 : 0,
    protocol: IPPROTO_IPIP,
    // These two also where there is none: what isn't sent of them stays as it was (ipip_changelink,
    // ip_tunnel_netlink_encap_parms).
    fwmark: ipip.fwmark,
    encapType: ipip.fou === undefined ? TUNNEL_ENCAP_NONE : TUNNEL_ENCAP_FOU,
    encapFlags: ipip.fou?.checksum === true ? TUNNEL_ENCAP_FLAG_CSUM : 0,
    encapSourcePort: ipip.fou?.sourcePort ?? 0,
    encapDestinationPort: ipip.fou?.destinationPort ?? 0,
  };
}

/** undefined for a device in collect-metadata mode, which has no addresses of its own. */
function decodeIpip(data: Buffer, devices: Devices): IpipAttributes | undefined {
  const values = decoding("IFLA_LINKINFO/IFLA_INFO_DATA", () => IPTUN.decode(data));
  if (values.collectMetadata === true || values.local === undefined) return undefined;
  return {
    local: values.local,
    remote: specified(values.remote),
    device: (values.device ?? 0) === 0 ? undefined : deviceName(devices, values.device ?? 0),
    ttl: values.ttl ?? 0,
    tos: values.tos ?? 0,
    pathMtuDiscovery: (values.pathMtuDiscovery ?? 0) !== 0,
    fwmark: values.fwmark ?? 0,
    fou: decodeFou(values),
  };
}

function decodeFou(values: Values<typeof IPTUN.attributes>): FouEncapsulation | undefined {
  if (values.encapType !== TUNNEL_ENCAP_FOU) return undefined;
  return {
    sourcePort: values.encapSourcePort ?? 0,
    destinationPort: values.encapDestinationPort ?? 0,
    checksum: ((values.encapFlags ?? 0) & TUNNEL_ENCAP_FLAG_CSUM) !== 0,
  };
}

/** struct rtnl_link_stats64 begins with these four; it grows at its end. */
function decodeStatistics(counters: Buffer | undefined): LinkStatistics | undefined {
  if (counters === undefined) return undefined;
  if (counters.length < 32) {
    throw new MalformedMessage(`want at least 32 bytes, got ${counters.length}`, "IFLA_STATS64");
  }
  const at = (i: number): bigint => u64.read(counters.subarray(i * 8, i * 8 + 8));
  return { rxPackets: at(0), txPackets: at(1), rxBytes: at(2), txBytes: at(3) };
}

function specified(address: IpAddress | undefined): IpAddress | undefined {
  return address === "0.0.0.0" || address === "::" ? undefined : address;
}
