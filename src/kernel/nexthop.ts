/**
 * Nexthop objects, which routes refer to by number: RTM_*NEXTHOP, struct nhmsg
 * (include/uapi/linux/nexthop.h, net/ipv4/nexthop.c). Encoded by the package `netlink`.
 */
import { formatNextHopMessage, type NextHopMessage } from "netlink/dist/rt/structs.js";
import { familyOf } from "../net/address.ts";
import type { Devices, Nexthop } from "../net/objects.ts";
import { attr, bytes, flag, ip, readU32, table, u32 } from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "../netlink/constants.ts";
import type { Message, Request } from "../netlink/request.ts";
import {
  AF_INET,
  AF_UNSPEC,
  addressBytes,
  decoding,
  deviceIndex,
  deviceName,
  familyNumber,
  formatted,
  RTNH_F_ONLINK,
  requireHeader,
} from "./rtnetlink.ts";

export const RTM_NEWNEXTHOP = 104;
export const RTM_DELNEXTHOP = 105;
export const RTM_GETNEXTHOP = 106;

/** sizeof(struct nhmsg): family, scope, protocol, reserved (u8 each), flags (u32). */
const NHMSG = 8;

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
  const operation = `RTM_NEWNEXTHOP ${nexthop.id}`;
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return {
    operation,
    type: RTM_NEWNEXTHOP,
    flags,
    payload: nexthopPayload(nexthop, devices, operation),
  };
}

/** In place of the object of this number, for all routes through it at once; made where there is none. */
export function replaceNexthop(nexthop: Nexthop, devices: Devices): Request {
  const operation = `RTM_NEWNEXTHOP ${nexthop.id} (replace)`;
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return {
    operation,
    type: RTM_NEWNEXTHOP,
    flags,
    payload: nexthopPayload(nexthop, devices, operation),
  };
}

/** Takes the routes through it along. ENOENT: there is none. */
export function deleteNexthop(id: number): Request {
  return {
    operation: `RTM_DELNEXTHOP ${id}`,
    type: RTM_DELNEXTHOP,
    flags: 0,
    payload: format({ family: AF_UNSPEC }, { id }),
  };
}

export function dumpNexthops(): Request {
  return {
    operation: "RTM_GETNEXTHOP",
    type: RTM_GETNEXTHOP,
    flags: 0,
    payload: format({ family: AF_UNSPEC }, {}),
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

function nexthopPayload(nexthop: Nexthop, devices: Devices, operation: string): Buffer {
  const { id, protocol, to } = nexthop;
  switch (to.kind) {
    case "blackhole":
      return format({ family: AF_INET, protocol }, { id, blackhole: true });
    case "device": {
      const oif = deviceIndex(devices, to.device, operation);
      return format({ family: AF_INET, protocol }, { id, oif });
    }
    case "gateway": {
      const family = familyNumber(familyOf(to.gateway));
      const oif = deviceIndex(devices, to.device, operation);
      const flags = to.onlink ? ({ onlink: true } as const) : {};
      const gateway = addressBytes(to.gateway);
      return format({ family, protocol, flags }, { id, oif, gateway });
    }
    case "group":
      throw new TypeError(`${operation}: groups are read, not made`);
  }
}

function format(data: NextHopMessage["data"], attrs: NextHopMessage["attrs"]): Buffer {
  return formatted((out) => formatNextHopMessage({ kind: "nexthop", data, attrs }, out));
}
