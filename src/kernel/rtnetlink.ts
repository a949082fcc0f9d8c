/**
 * What the files about links, addresses, routes, rules, neighbours and nexthops have in common:
 * include/uapi/linux/rtnetlink.h.
 *
 * Their messages are encoded by the package `netlink` (its message formatters alone: its socket is never
 * loaded) wherever it does that well; each file says where not. They are decoded by our own tables,
 * because the package reports neither which attribute was wrong nor keeps those it doesn't know
 * (IFA_PROTO), builds thirty closures a message, and refuses structs that have grown since.
 */
import { AttrStream } from "netlink/dist/structs.js";
import type { Family, IpAddress } from "../net/address.ts";
import { addressBytes, addressFromBytes } from "../net/address.ts";
import type { Devices } from "../net/objects.ts";
import { MalformedMessage, writeU32 } from "../netlink/attributes.ts";
import { KernelError } from "../netlink/errors.ts";
import type { Message } from "../netlink/request.ts";

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;
export const RTNLGRP_NEXTHOP = 32;

/** Gateway is on the link though no connected route says so. In rtm_flags and nh_flags. */
export const RTNH_F_ONLINK = 4;

export function familyNumber(family: Family): number {
  return family === "ipv4" ? AF_INET : AF_INET6;
}

/** What a formatter of the package writes, as one buffer. */
export function formatted(format: (out: AttrStream) => void): Buffer {
  const out = new AttrStream();
  format(out);
  return Buffer.concat(out.bufs);
}

/** For attributes that the package takes as bytes. */
export function u32Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeU32(bytes, value, 0);
  return bytes;
}

/**
 * The index of a device that a request names. Where it doesn't exist, KernelError ENODEV: what the kernel
 * would say if it could be asked by name.
 */
export function deviceIndex(devices: Devices, name: string, operation: string): number {
  const index = devices.index(name) ?? Number(GONE.exec(name)?.[1]);
  if (!Number.isNaN(index)) return index;
  throw new KernelError(operation, 19, { text: `there is no device ${name}` });
}

/**
 * `if7:gone` for a device that is not in the dump: removed, in another namespace, or newer than the dump.
 * No device can have a name with a colon (dev_valid_name), so {@link deviceIndex} knows it again: what
 * is bound to a device that was removed can be removed in turn only by saying that device's index.
 */
export function deviceName(devices: Devices, index: number): string {
  return devices.name(index) ?? `if${index}:gone`;
}

const GONE = /^if([0-9]+):gone$/;

/** The fixed struct in front of the attributes must be there whole. */
export function requireHeader(message: Message, name: string, size: number): void {
  if (message.payload.length >= size) return;
  throw new MalformedMessage(`want at least ${size} bytes, got ${message.payload.length}`, name);
}

/** Runs a decoder; puts the message's name in front of what it complains about. */
export function decoding<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw error instanceof MalformedMessage ? error.within(name) : error;
  }
}

/** 0.0.0.0 or ::, as the network of a default route has it: the kernel leaves the attribute out. */
export function anyAddress(family: number): IpAddress {
  return (family === AF_INET6 ? "::" : "0.0.0.0") as IpAddress;
}

export { addressBytes, addressFromBytes };
