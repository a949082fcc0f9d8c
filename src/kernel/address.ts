/**
 * Addresses of interfaces: RTM_*ADDR, struct ifaddrmsg (include/uapi/linux/if_addr.h, net/ipv4/devinet.c).
 * Encoded by the package `netlink`, but for IFA_PROTO, which it doesn't know.
 */
import { formatAddressMessage } from "netlink/dist/rt/structs.js";
import { type Family, familyOf } from "../net/address.ts";
import type { Devices, InterfaceAddress } from "../net/objects.ts";
import { attr, ip, readU32, table, u8, u32 } from "../netlink/attributes.ts";
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

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** No connected route is made for the prefix. */
export const IFA_F_NOPREFIXROUTE = 0x200;

/** sizeof(struct ifaddrmsg): family, prefix length, flags, scope (u8 each), index (u32). */
const IFADDRMSG = 8;

export const ADDRESS = table({
  /** The prefix's address: the peer's, where the interface is point-to-point. */
  address: attr(1, ip, "IFA_ADDRESS"),
  local: attr(2, ip, "IFA_LOCAL"),
  flags: attr(8, u32, "IFA_FLAGS"),
  protocol: attr(11, u8, "IFA_PROTO"),
});

/** EEXIST: the interface has it already. */
export function newAddress(address: InterfaceAddress, devices: Devices): Request {
  return addressRequest("RTM_NEWADDR", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address, devices);
}

/** EADDRNOTAVAIL: the interface doesn't have it. Deleting the first of a prefix deletes its seconds. */
export function deleteAddress(address: InterfaceAddress, devices: Devices): Request {
  return addressRequest("RTM_DELADDR", RTM_DELADDR, 0, address, devices);
}

/** Of all interfaces. */
export function dumpAddresses(family: Family = "ipv4"): Request {
  const data = { family: familyNumber(family) };
  return {
    operation: "RTM_GETADDR",
    type: RTM_GETADDR,
    flags: 0,
    payload: formatted((out) => formatAddressMessage({ kind: "address", data, attrs: {} }, out)),
  };
}

/** Of RTM_NEWADDR and RTM_DELADDR; undefined for anything else. */
export function decodeAddress(message: Message, devices: Devices): InterfaceAddress | undefined {
  if (message.type !== RTM_NEWADDR && message.type !== RTM_DELADDR) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWADDR", IFADDRMSG);
  return decoding("RTM_NEWADDR", () => {
    const values = ADDRESS.decode(payload, IFADDRMSG);
    // IPv6 has IFA_LOCAL for point-to-point alone.
    const local = values.local ?? values.address;
    if (local === undefined) return undefined;
    const flags = values.flags ?? payload[2] ?? 0;
    return {
      device: deviceName(devices, readU32(payload, 4)),
      local,
      prefixLength: payload[1] ?? 0,
      peer: values.address === local ? undefined : values.address,
      noPrefixRoute: (flags & IFA_F_NOPREFIXROUTE) !== 0,
      protocol: values.protocol ?? 0,
    };
  });
}

function addressRequest(
  name: string,
  type: number,
  flags: number,
  address: InterfaceAddress,
  devices: Devices,
): Request {
  const { local, prefixLength, peer, device, noPrefixRoute, protocol } = address;
  const to = peer === undefined ? "" : ` peer ${peer}`;
  const operation = `${name} ${local}/${prefixLength}${to} dev ${device}`;
  const data = {
    family: familyNumber(familyOf(local)),
    prefixlen: prefixLength,
    index: deviceIndex(devices, device, operation),
  };
  const attrs = {
    local: addressBytes(local),
    address: addressBytes(peer ?? local),
    ...(noPrefixRoute ? { flags: { noprefixroute: true } as const } : {}),
  };
  const payload = formatted((out) => {
    formatAddressMessage({ kind: "address", data, attrs }, out);
    if (protocol !== 0) out.push(ADDRESS.attributes.protocol.number, Buffer.of(protocol));
  });
  return { operation, type, flags, payload };
}
