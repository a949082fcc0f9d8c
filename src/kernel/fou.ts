/**
 * FOU listeners: the generic netlink family `fou` (include/uapi/linux/fou.h, net/ipv4/fou_core.c,
 * Documentation/netlink/specs/fou.yaml). Its number comes from findFamily(); the module doesn't load
 * itself.
 */
import { familyOf, type IpAddress } from "../net/address.ts";
import type { Devices, FouListener } from "../net/objects.ts";
import { attr, ip, s32, table, u8, u16be, type Values } from "../netlink/attributes.ts";
import type { Message, Request } from "../netlink/request.ts";
import { GENL_HDRLEN, type GenericFamily, genericPayload } from "./genetlink.ts";
import {
  AF_INET6,
  decoding,
  deviceIndex,
  deviceName,
  familyNumber,
  requireHeader,
} from "./rtnetlink.ts";

export const FOU_GENL_NAME = "fou";
export const FOU_GENL_VERSION = 1;

export const FOU_CMD_ADD = 1;
export const FOU_CMD_DEL = 2;
export const FOU_CMD_GET = 3;

export const FOU_ENCAP_DIRECT = 1;
export const FOU_ENCAP_GUE = 2;

export const FOU = table({
  port: attr(1, u16be, "FOU_ATTR_PORT"),
  family: attr(2, u8, "FOU_ATTR_AF"),
  ipProtocol: attr(3, u8, "FOU_ATTR_IPPROTO"),
  type: attr(4, u8, "FOU_ATTR_TYPE"),
  localV4: attr(6, ip, "FOU_ATTR_LOCAL_V4"),
  localV6: attr(7, ip, "FOU_ATTR_LOCAL_V6"),
  peerV4: attr(8, ip, "FOU_ATTR_PEER_V4"),
  peerV6: attr(9, ip, "FOU_ATTR_PEER_V6"),
  peerPort: attr(10, u16be, "FOU_ATTR_PEER_PORT"),
  device: attr(11, s32, "FOU_ATTR_IFINDEX"),
});

/**
 * EADDRINUSE: port taken, also by a listener on all addresses, or on this one with another peer.
 *
 * A listener with a peer is connected, for which the kernel wants a route to the peer at that moment
 * (ip4_datagram_connect): ENETUNREACH where there is none, EINVAL where it is a blackhole, EHOSTUNREACH
 * where it is unreachable.
 */
export function addListener(
  family: GenericFamily,
  listener: FouListener,
  devices: Devices,
): Request {
  const operation = `FOU_CMD_ADD ${describe(listener)}`;
  const values = {
    ...identity(listener, devices, operation),
    ipProtocol: listener.ipProtocol,
    type: listener.type === "gue" ? FOU_ENCAP_GUE : FOU_ENCAP_DIRECT,
  };
  const payload = genericPayload(FOU_CMD_ADD, FOU_GENL_VERSION, FOU, values);
  return { operation, type: family.id, flags: 0, payload };
}

/** EINVAL: there is none with exactly this port, local and peer address, peer port, device and family. */
export function deleteListener(
  family: GenericFamily,
  listener: FouListener,
  devices: Devices,
): Request {
  const operation = `FOU_CMD_DEL ${describe(listener)}`;
  const values = identity(listener, devices, operation);
  const payload = genericPayload(FOU_CMD_DEL, FOU_GENL_VERSION, FOU, values);
  return { operation, type: family.id, flags: 0, payload };
}

/** Errno as {@link deleteListener}; the answer is one of {@link dumpListeners}. */
export function getListener(
  family: GenericFamily,
  listener: FouListener,
  devices: Devices,
): Request {
  const operation = `FOU_CMD_GET ${describe(listener)}`;
  const values = identity(listener, devices, operation);
  const payload = genericPayload(FOU_CMD_GET, FOU_GENL_VERSION, FOU, values);
  return { operation, type: family.id, flags: 0, payload };
}

export function dumpListeners(family: GenericFamily): Request {
  const payload = genericPayload(FOU_CMD_GET, FOU_GENL_VERSION, FOU, {});
  return { operation: "FOU_CMD_GET", type: family.id, flags: 0, payload };
}

/** Of the answers to dumpListeners(); undefined for anything else. */
export function decodeListener(
  family: GenericFamily,
  message: Message,
  devices: Devices,
): FouListener | undefined {
  if (message.type !== family.id) return undefined;
  requireHeader(message, "FOU_CMD_GET", GENL_HDRLEN);
  if (message.payload[0] !== FOU_CMD_GET) return undefined;
  return decoding("FOU_CMD_GET", () => {
    const values = FOU.decode(message.payload, GENL_HDRLEN);
    if (values.port === undefined) return undefined;
    const v6 = values.family === AF_INET6;
    return {
      port: values.port,
      local: specified(v6 ? values.localV6 : values.localV4),
      peer: specified(v6 ? values.peerV6 : values.peerV4),
      peerPort: values.peerPort === 0 ? undefined : values.peerPort,
      device: (values.device ?? 0) === 0 ? undefined : deviceName(devices, values.device ?? 0),
      ipProtocol: values.ipProtocol ?? 0,
      type: values.type === FOU_ENCAP_GUE ? "gue" : "direct",
    };
  });
}

/** `203.0.113.1:10000`: the kernel has one of it at most. Of the answers to dumpListeners(). */
export function listenerName({ payload }: Message): string {
  const { port = 0, localV4, localV6, family } = FOU.decode(payload, GENL_HDRLEN);
  return `${specified(family === AF_INET6 ? localV6 : localV4) ?? "*"}:${port}`;
}

/** Where it takes packets from alone, and of which protocol (4 for ours). Of the answers to dumpListeners(). */
export function listenerEnds({ payload }: Message): {
  readonly peer: IpAddress | undefined;
  readonly peerPort: number;
  readonly ipProtocol: number;
} {
  const { family, peerV4, peerV6, peerPort = 0, ipProtocol = 0 } = FOU.decode(payload, GENL_HDRLEN);
  return { peer: specified(family === AF_INET6 ? peerV6 : peerV4), peerPort, ipProtocol };
}

function identity(
  { port, local, peer, peerPort, device }: FouListener,
  devices: Devices,
  operation: string,
): Values<typeof FOU.attributes> {
  const known = local ?? peer;
  const family = known === undefined ? "ipv4" : familyOf(known);
  return {
    port,
    family: familyNumber(family),
    ...(family === "ipv4" ? { localV4: local, peerV4: peer } : { localV6: local, peerV6: peer }),
    peerPort,
    device: device === undefined ? undefined : deviceIndex(devices, device, operation),
  };
}

function describe({ port, local, peer, peerPort }: FouListener): string {
  const to = peer === undefined ? "" : ` peer ${peer}:${peerPort ?? 0}`;
  return `${local ?? "*"}:${port}${to}`;
}

function specified(address: IpAddress | undefined): IpAddress | undefined {
  return address === "0.0.0.0" || address === "::" ? undefined : address;
}
