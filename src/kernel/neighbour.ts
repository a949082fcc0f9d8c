/**
 * Proxy neighbour entries, for which the host answers ARP: RTM_*NEIGH with NTF_PROXY, struct ndmsg
 * (include/uapi/linux/neighbour.h, net/core/neighbour.c).
 */
import { type Family, familyOf } from "../net/address.ts";
import type { Devices, ProxyNeighbour } from "../net/objects.ts";
import { attr, ip, readS32, table, u8, writeS32, writeU16 } from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../netlink/constants.ts";
import type { Message, Request } from "../netlink/request.ts";
import { decoding, deviceIndex, deviceName, familyNumber, requireHeader } from "./rtnetlink.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

export const NTF_PROXY = 8;

/** sizeof(struct ndmsg): family, 3 pad, ifindex (s32), state (u16), flags, type (u8). */
const NDMSG = 12;

/** Of what is there for good, and not learned. */
export const NUD_PERMANENT = 0x80;

export const NEIGHBOUR = table({
  /** Who made it, as of routes. */
  protocol: attr(12, u8, "NDA_PROTOCOL"),
  address: attr(1, ip, "NDA_DST"),
});

/** One that is there already is no error: the kernel makes no second, and writes our protocol to it. */
export function newProxy(proxy: ProxyNeighbour, devices: Devices): Request {
  const operation = `RTM_NEWNEIGH ${describe(proxy)}`;
  const payload = proxyPayload(proxy, devices, operation, proxy.protocol);
  return { operation, type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

/** ENOENT: there is none. */
export function deleteProxy(proxy: ProxyNeighbour, devices: Devices): Request {
  const operation = `RTM_DELNEIGH ${describe(proxy)}`;
  const payload = proxyPayload(proxy, devices, operation, undefined);
  return { operation, type: RTM_DELNEIGH, flags: 0, payload };
}

/** The proxy entries of all interfaces; those that were learned don't come. */
export function dumpProxies(family: Family = "ipv4"): Request {
  const payload = NEIGHBOUR.encode({}, NDMSG);
  payload[0] = familyNumber(family);
  payload[10] = NTF_PROXY;
  return { operation: "RTM_GETNEIGH", type: RTM_GETNEIGH, flags: 0, payload };
}

/** Of RTM_NEWNEIGH and RTM_DELNEIGH for proxy entries; undefined for anything else. */
export function decodeProxy(message: Message, devices: Devices): ProxyNeighbour | undefined {
  if (message.type !== RTM_NEWNEIGH && message.type !== RTM_DELNEIGH) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWNEIGH", NDMSG);
  if (((payload[10] ?? 0) & NTF_PROXY) === 0) return undefined;
  return decoding("RTM_NEWNEIGH", () => {
    const { address, protocol = 0 } = NEIGHBOUR.decode(payload, NDMSG);
    if (address === undefined) return undefined;
    return { address, device: deviceName(devices, readS32(payload, 4)), protocol };
  });
}

/** The kernel has one of it at most. Of the answers to dumpProxies(). */
export function proxyName({ payload }: Message): string {
  const { address } = NEIGHBOUR.decode(payload, NDMSG);
  return `${address} on device ${readS32(payload, 4)}`;
}

function describe({ address, device }: ProxyNeighbour): string {
  return `proxy ${address} dev ${device}`;
}

function proxyPayload(
  { address, device }: ProxyNeighbour,
  devices: Devices,
  operation: string,
  protocol: number | undefined,
): Buffer {
  const payload = NEIGHBOUR.encode({ protocol, address }, NDMSG);
  payload[0] = familyNumber(familyOf(address));
  writeS32(payload, deviceIndex(devices, device, operation), 4);
  writeU16(payload, NUD_PERMANENT, 8);
  payload[10] = NTF_PROXY;
  return payload;
}
