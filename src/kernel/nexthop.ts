/**
 * Nexthop objects, which routes refer to by number: RTM_*NEXTHOP, struct nhmsg
 * (include/uapi/linux/nexthop.h, net/ipv4/nexthop.c). Encoded by our own table: a hub of 100,000 peers has
 * as many, and the package `netlink` takes five times as long.
 */
import { familyOf } from "../net/address.ts";
import type { Devices, Nexthop } from "../net/objects.ts";
import {
  attr,
  bytes,
  flag,
  ip,
  readU32,
  table,
  u32,
  type Values,
  writeU32,
} from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "../netlink/constants.ts";
import { type Message, type Request, TableRequest } from "../netlink/request.ts";
import {
  AF_INET,
  AF_UNSPEC,
  decoding,
  deviceIndex,
  deviceName,
  familyNumber,
  RTNH_F_ONLINK,
  requireHeader,
} from "./rtnetlink.ts";

export const RTM_NEWNEXTHOP = 104;
export const RTM_DELNEXTHOP = 105;
export const RTM_GETNEXTHOP = 106;

/** sizeof(struct nhmsg): family, scope, protocol, reserved (u8 each), flags (u32). */
export const NHMSG = 8;

export const NEXTHOP = table({
  id: attr(1, u32, "NHA_ID"),
  /** Array of struct nexthop_grp. */
  group: attr(2, bytes, "NHA_GROUP"),
  blackhole: attr(4, flag, "NHA_BLACKHOLE"),
  device: attr(5, u32, "NHA_OIF"),
  gateway: attr(6, ip, "NHA_GATEWAY"),
});

/** EEXIST: the number is taken. */
export function newNexthop(nexthop: Nexthop, devices: Devices): Request {
  return new NexthopRequest(NLM_F_CREATE | NLM_F_EXCL, nexthop, devices);
}

/** In place of the object of this number, for all routes through it at once; made where there is none. */
export function replaceNexthop(nexthop: Nexthop, devices: Devices): Request {
  return new NexthopRequest(NLM_F_CREATE | NLM_F_REPLACE, nexthop, devices);
}

/** Takes the routes through it along. ENOENT: there is none. */
export function deleteNexthop(id: number): Request {
  return {
    operation: `RTM_DELNEXTHOP ${id}`,
    type: RTM_DELNEXTHOP,
    flags: 0,
    payload: encode({ id }),
  };
}

export function dumpNexthops(): Request {
  return {
    operation: "RTM_GETNEXTHOP",
    type: RTM_GETNEXTHOP,
    flags: 0,
    payload: encode({}),
  };
}

/** Of RTM_NEWNEXTHOP and RTM_DELNEXTHOP; undefined for anything else. */
export function decodeNexthop(message: Message, devices: Devices): Nexthop | undefined {
  if (message.type !== RTM_NEWNEXTHOP && message.type !== RTM_DELNEXTHOP) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWNEXTHOP", NHMSG);
  return decoding("RTM_NEWNEXTHOP", () => {
    const { id, group, blackhole, device, gateway } = NEXTHOP.decode(payload, NHMSG);
    if (id === undefined) return undefined;
    return { id, protocol: payload[2] ?? 0, to: target() };

    function target(): Nexthop["to"] {
      if (group !== undefined) return { kind: "group" };
      if (blackhole === true || device === undefined) return { kind: "blackhole" };
      const name = deviceName(devices, device);
      if (gateway === undefined) return { kind: "device", device: name };
      const onlink = (readU32(payload, 4) & RTNH_F_ONLINK) !== 0;
      return { kind: "gateway", gateway, device: name, onlink };
    }
  });
}

class NexthopRequest extends TableRequest<typeof NEXTHOP.attributes> {
  readonly #nexthop: Nexthop;

  constructor(flags: number, nexthop: Nexthop, devices: Devices) {
    super(RTM_NEWNEXTHOP, flags, NEXTHOP, valuesOf(nexthop, devices, flags), NHMSG);
    this.#nexthop = nexthop;
  }

  get operation(): string {
    return operationOf(this.#nexthop, this.flags);
  }

  protected override writeHeader(into: Buffer, at: number): void {
    const { protocol, to } = this.#nexthop;
    const gateway = to.kind === "gateway";
    into[at] = gateway ? familyNumber(familyOf(to.gateway)) : AF_INET;
    into[at + 2] = protocol;
    writeU32(into, gateway && to.onlink ? RTNH_F_ONLINK : 0, at + 4);
  }
}

function operationOf({ id }: Nexthop, flags: number): string {
  return `RTM_NEWNEXTHOP ${id}${(flags & NLM_F_REPLACE) === 0 ? "" : " (replace)"}`;
}

function valuesOf(
  nexthop: Nexthop,
  devices: Devices,
  flags: number,
): Values<typeof NEXTHOP.attributes> {
  const { id, to } = nexthop;
  if (to.kind === "blackhole") return { id, blackhole: true };
  const operation = operationOf(nexthop, flags);
  if (to.kind === "group") throw new TypeError(`${operation}: groups are read, not made`);
  const device = deviceIndex(devices, to.device, operation);
  return to.kind === "device" ? { id, device } : { id, device, gateway: to.gateway };
}

/** What names a nexthop, or asks for all. */
function encode(values: Values<typeof NEXTHOP.attributes>): Buffer {
  const payload = NEXTHOP.encode(values, NHMSG);
  payload[0] = AF_UNSPEC;
  return payload;
}
