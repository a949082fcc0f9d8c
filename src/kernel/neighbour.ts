/**
 * Proxy neighbour entries, for which the host answers ARP: RTM_*NEIGH with NTF_PROXY, struct ndmsg
 * (include/uapi/linux/neighbour.h, net/core/neighbour.c). Encoded by the package `netlink`.
 */
import { formatNeighborMessage, type NeighborMessage } from "netlink/dist/rt/structs.js";
import { type Family, familyOf } from "../net/address.ts";
import type { Devices, ProxyNeighbour } from "../net/objects.ts";
import { attr, ip, readS32, table } from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../netlink/constants.ts";
import type { Message, Request } from "../netlink/request.ts";
import {
  addressBytes,
  decoding,
  deviceIndex,
  deviceName,
  familyNumber,
  formatted,
  requireHeader,
} from "./rtnetlink.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

export const NTF_PROXY = 8;

/** sizeof(struct ndmsg): family, 3 pad, ifindex (s32), state (u16), flags, type (u8). */
const NDMSG = 12;

export const NEIGHBOUR = table({
  address: attr(1, ip, "NDA_DST"),
});

/** One that is there already is no error: the kernel makes no second. */
export function newProxy(proxy: ProxyNeighbour, devices: Devices): Request {
  return proxyRequest("RTM_NEWNEIGH", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, proxy, devices);
}

/** ENOENT: there is none. */
export function deleteProxy(proxy: ProxyNeighbour, devices: Devices): Request {
  return proxyRequest("RTM_DELNEIGH", RTM_DELNEIGH, 0, proxy, devices);
}

/** The proxy entries of all interfaces; those that were learned don't come. */
export function dumpProxies(family: Family = "ipv4"): Request {
  const data = { family: familyNumber(family), flags: { proxy: true } as const };
  return { operation: "RTM_GETNEIGH", type: RTM_GETNEIGH, flags: 0, payload: format(data, {}) };
}

/** Of RTM_NEWNEIGH and RTM_DELNEIGH for proxy entries; undefined for anything else. */
export function decodeProxy(message: Message, devices: Devices): ProxyNeighbour | undefined {
  if (message.type !== RTM_NEWNEIGH && message.type !== RTM_DELNEIGH) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWNEIGH", NDMSG);
  if (((payload[10] ?? 0) & NTF_PROXY) === 0) return undefined;
  return decoding("RTM_NEWNEIGH", () => {
    const { address } = NEIGHBOUR.decode(payload, NDMSG);
    if (address === undefined) return undefined;
    return { address, device: deviceName(devices, readS32(payload, 4)) };
  });
}

function proxyRequest(
  name: string,
  type: number,
  flags: number,
  { address, device }: ProxyNeighbour,
  devices: Devices,
): Request {
  const operation = `${name} proxy ${address} dev ${device}`;
  const data = {
    family: familyNumber(familyOf(address)),
    ifindex: deviceIndex(devices, device, operation),
    state: { permanent: true } as const,
    flags: { proxy: true } as const,
  };
  return { operation, type, flags, payload: format(data, { dst: addressBytes(address) }) };
}

function format(data: NeighborMessage["data"], attrs: NeighborMessage["attrs"]): Buffer {
  return formatted((out) => formatNeighborMessage({ kind: "neighbor", data, attrs }, out));
}
