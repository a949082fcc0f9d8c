/**
 * Routes and route look-ups: RTM_*ROUTE, struct rtmsg (include/uapi/linux/rtnetlink.h,
 * net/ipv4/fib_frontend.c). Questions are encoded by the package `netlink`; routes, of which a hub has
 * hundreds of thousands, by our own table, which takes a fifth of the time.
 */
import { formatRouteMessage, type RouteMessage } from "netlink/dist/rt/structs.js";
import {
  addressBytes,
  addressFromBytes,
  bitsOf,
  type Family,
  familyOf,
  formatPrefix,
  type IpAddress,
  writeAddress,
} from "../net/address.ts";
import { type Devices, MAIN_TABLE, type Route, type RouteType } from "../net/objects.ts";
import {
  type AttributeType,
  attr,
  ip,
  MalformedMessage,
  readU16,
  readU32,
  table,
  u32,
  type Values,
  writeU16,
  writeU32,
} from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "../netlink/constants.ts";
import { type Message, type Request, TableRequest } from "../netlink/request.ts";
import {
  AF_INET,
  AF_INET6,
  anyAddress,
  decoding,
  deviceIndex,
  deviceName,
  familyNumber,
  formatted,
  RTNH_F_ONLINK,
  requireHeader,
  u32Bytes,
} from "./rtnetlink.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

export const RT_TABLE_UNSPEC = 0;
export const RT_TABLE_LOCAL = 255;

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
/** In RTM_DELROUTE: whatever its scope. */
export const RT_SCOPE_NOWHERE = 255;

export const RTN_UNSPEC = 0;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;

/** The message is a look-up's result or a cached exception, not an entry of a table. */
export const RTM_F_CLONED = 0x200;
/** Say which table the look-up found its route in. */
export const RTM_F_LOOKUP_TABLE = 0x1000;

/** sizeof(struct rtmsg): family, dst_len, src_len, tos, table, protocol, scope, type, flags (u32). */
export const RTMSG = 12;

const TYPES: Readonly<Record<RouteType, number>> = {
  unicast: RTN_UNICAST,
  local: RTN_LOCAL,
  broadcast: RTN_BROADCAST,
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
  prohibit: RTN_PROHIBIT,
  other: RTN_UNSPEC,
};

const TYPE_NAMES: ReadonlyMap<number, RouteType> = new Map(
  Object.entries(TYPES).map(([name, number]) => [number, name as RouteType]),
);

/** struct rtvia: a gateway of another family, u16 and the address. */
const via: AttributeType<IpAddress> = {
  nested: false,
  size: (gateway) => 2 + bitsOf(familyOf(gateway)) / 8,
  write: (gateway, into, at) => {
    const address = writeU16(into, familyNumber(familyOf(gateway)), at);
    return writeAddress(gateway, into, address);
  },
  read: (bytes) => {
    const family = bytes.length < 2 ? 0 : readU16(bytes, 0);
    const size = family === AF_INET ? 4 : family === AF_INET6 ? 16 : -1;
    const address = bytes.length === 2 + size ? addressFromBytes(bytes.subarray(2)) : undefined;
    if (address !== undefined) return address;
    throw new MalformedMessage(`want 6 or 18 bytes of struct rtvia, got ${bytes.length}`);
  },
};

export const ROUTE = table({
  destination: attr(1, ip, "RTA_DST"),
  device: attr(4, u32, "RTA_OIF"),
  gateway: attr(5, ip, "RTA_GATEWAY"),
  metric: attr(6, u32, "RTA_PRIORITY"),
  source: attr(7, ip, "RTA_PREFSRC"),
  table: attr(15, u32, "RTA_TABLE"),
  mark: attr(16, u32, "RTA_MARK"),
  via: attr(18, via, "RTA_VIA"),
  nexthop: attr(30, u32, "RTA_NH_ID"),
});

/** EEXIST: the table has a route of this destination and metric. */
export function newRoute(route: Route, devices: Devices): Request {
  return new RouteRequest(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, devices);
}

/** In place of the route of this destination, metric and table, where there is one. */
export function replaceRoute(route: Route, devices: Devices): Request {
  return new RouteRequest(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, devices);
}

/** ESRCH: there is none that is like it in everything said here. */
export function deleteRoute(route: Route, devices: Devices): Request {
  return new RouteRequest(RTM_DELROUTE, 0, route, devices);
}

/**
 * @param protocol Only routes of this protocol: on a socket with strict checking the kernel filters, on
 *   others it gives them all, so look at the result all the same.
 */
export function dumpRoutes(family: Family = "ipv4", protocol = 0): Request {
  const data = { family: familyNumber(family), protocol };
  return {
    operation: "RTM_GETROUTE",
    type: RTM_GETROUTE,
    flags: 0,
    payload: formatted((out) => formatRouteMessage({ kind: "route", data, attrs: {} }, out)),
  };
}

/** Of RTM_NEWROUTE and RTM_DELROUTE; undefined for anything else, results of look-ups included. */
export function decodeRoute(message: Message, devices: Devices): Route | undefined {
  if (message.type !== RTM_NEWROUTE && message.type !== RTM_DELROUTE) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWROUTE", RTMSG);
  const flags = readU32(payload, 8);
  const family = payload[0] ?? 0;
  if ((flags & RTM_F_CLONED) !== 0 || (family !== AF_INET && family !== AF_INET6)) return undefined;
  return decoding("RTM_NEWROUTE", () => {
    const values = ROUTE.decode(payload, RTMSG);
    // With nexthop_compat_mode the kernel repeats what the nexthop object says.
    const own = values.nexthop === undefined;
    return {
      type: TYPE_NAMES.get(payload[7] ?? 0) ?? "other",
      destination: {
        address: values.destination ?? anyAddress(family),
        length: payload[1] ?? 0,
      },
      table: values.table ?? payload[4] ?? 0,
      metric: values.metric ?? 0,
      protocol: payload[5] ?? 0,
      device: own && values.device !== undefined ? deviceName(devices, values.device) : undefined,
      gateway: own ? (values.gateway ?? values.via) : undefined,
      onlink: own && (flags & RTNH_F_ONLINK) !== 0,
      nexthop: values.nexthop,
      source: values.source,
    };
  });
}

export interface LookupOptions {
  readonly mark?: number;
  /** Index of the device that the packet shall leave by. */
  readonly oif?: number;
  /** Its source: an address of this host, but for one that came in. */
  readonly from?: IpAddress;
  /** Index of the device that the packet has come in by; needs `from`. */
  readonly iif?: number;
}

/**
 * What the kernel would do with a packet from this host, or with one that came in; ENETUNREACH and the like
 * where it would fail, EXDEV where rp_filter drops it.
 */
export function getRoute(destination: IpAddress, options: LookupOptions = {}): Request {
  const family = familyOf(destination);
  const { from, iif } = options;
  const data = {
    family: familyNumber(family),
    dstLen: bitsOf(family),
    srcLen: from === undefined ? 0 : bitsOf(family),
    flags: { lookupTable: true } as const,
  };
  const attrs: RouteMessage["attrs"] = { dst: addressBytes(destination) };
  if (from !== undefined) attrs.src = addressBytes(from);
  if (iif !== undefined) attrs.iif = iif;
  if (options.oif !== undefined) attrs.oif = options.oif;
  if (options.mark !== undefined) attrs.mark = u32Bytes(options.mark);
  return {
    operation: `RTM_GETROUTE ${destination}`,
    type: RTM_GETROUTE,
    flags: 0,
    payload: formatted((out) => formatRouteMessage({ kind: "route", data, attrs }, out)),
  };
}

/** The answer to getRoute(). */
export interface RouteLookup {
  readonly type: RouteType;
  readonly table: number;
  readonly device: string | undefined;
  readonly gateway: IpAddress | undefined;
  /** The address that the kernel would send from. */
  readonly source: IpAddress | undefined;
}

/** Of the answer to getRoute(); undefined for anything else. */
export function decodeRouteLookup(message: Message, devices: Devices): RouteLookup | undefined {
  if (message.type !== RTM_NEWROUTE) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWROUTE", RTMSG);
  if ((readU32(payload, 8) & RTM_F_CLONED) === 0) return undefined;
  return decoding("RTM_NEWROUTE", () => {
    const values = ROUTE.decode(payload, RTMSG);
    return {
      type: TYPE_NAMES.get(payload[7] ?? 0) ?? "other",
      table: values.table ?? payload[4] ?? 0,
      device: values.device === undefined ? undefined : deviceName(devices, values.device),
      gateway: values.gateway ?? values.via,
      source: values.source,
    };
  });
}

function describe(route: Route): string {
  const type = route.type === "unicast" ? "" : `${route.type} `;
  const device = route.device === undefined ? "" : ` dev ${route.device}`;
  const place = route.table === MAIN_TABLE ? "" : ` table ${route.table}`;
  return `${type}${formatPrefix(route.destination)}${device}${place}`;
}

/** As `ip route` chooses it: a unicast route without a gateway ends on the link. */
function scopeOf(route: Route): number {
  if (route.type === "local") return RT_SCOPE_HOST;
  if (route.type === "broadcast") return RT_SCOPE_LINK;
  const direct = route.gateway === undefined && route.nexthop === undefined;
  return route.type === "unicast" && direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

class RouteRequest extends TableRequest<typeof ROUTE.attributes> {
  readonly #route: Route;

  constructor(type: number, flags: number, route: Route, devices: Devices) {
    if (route.type === "other")
      throw new TypeError(`${operationOf(route, type, flags)}: no such type of route`);
    super(type, flags, ROUTE, valuesOf(route, devices, type, flags), RTMSG);
    this.#route = route;
  }

  get operation(): string {
    return operationOf(this.#route, this.type, this.flags);
  }

  protected override writeHeader(into: Buffer, at: number): void {
    const { type, destination, table, protocol, onlink } = this.#route;
    into[at] = familyNumber(familyOf(destination.address));
    into[at + 1] = destination.length;
    into[at + 4] = table < 256 ? table : RT_TABLE_UNSPEC;
    into[at + 5] = protocol;
    into[at + 6] = this.type === RTM_DELROUTE ? RT_SCOPE_NOWHERE : scopeOf(this.#route);
    into[at + 7] = TYPES[type];
    writeU32(into, onlink ? RTNH_F_ONLINK : 0, at + 8);
  }
}

function operationOf(route: Route, type: number, flags: number): string {
  const what = describe(route);
  if (type === RTM_DELROUTE) return `RTM_DELROUTE ${what}`;
  return `RTM_NEWROUTE ${what}${(flags & NLM_F_REPLACE) === 0 ? "" : " (replace)"}`;
}

function valuesOf(
  route: Route,
  devices: Devices,
  type: number,
  flags: number,
): Values<typeof ROUTE.attributes> {
  const { destination, gateway, device, table, metric, source, nexthop } = route;
  const foreign = gateway !== undefined && familyOf(gateway) !== familyOf(destination.address);
  return {
    // The header's field holds 8 bits.
    table: table < 256 ? undefined : table,
    destination: destination.length > 0 ? destination.address : undefined,
    metric: metric === 0 ? undefined : metric,
    source,
    nexthop,
    device:
      device === undefined
        ? undefined
        : deviceIndex(devices, device, operationOf(route, type, flags)),
    gateway: foreign ? undefined : gateway,
    via: foreign ? gateway : undefined,
  };
}
