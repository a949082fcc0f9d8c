/** The conversations with the kernel that the daemon keeps open, one for each family. */
import type { Addon, NetlinkSocket } from "../native/addon.ts";
import { Netlink } from "../netlink/connection.ts";
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE } from "../netlink/constants.ts";

export interface Sockets {
  readonly route: Netlink;
  readonly generic: Netlink;
  readonly netfilter: Netlink;
  close(): void;
}

/**
 * An acknowledgement costs 768 bytes of the receive buffer, a ruleset of 100,000 elements is sent in
 * datagrams as large as the send buffer allows.
 */
const BUFFER = 4 << 20;

/** @param guard What stands between us and a socket. */
export function openSockets(
  addon: Addon,
  guard: (socket: NetlinkSocket, protocol: number) => NetlinkSocket = (socket) => socket,
): Sockets {
  const open = (protocol: number): Netlink => {
    const socket = new addon.NetlinkSocket({
      protocol,
      receiveBuffer: BUFFER,
      sendBuffer: BUFFER,
      // Dumps are filtered by the kernel, and unknown bits in a request are refused.
      strictChecking: protocol === NETLINK_ROUTE,
    });
    return new Netlink(guard(socket, protocol));
  };
  const route = open(NETLINK_ROUTE);
  const generic = open(NETLINK_GENERIC);
  const netfilter = open(NETLINK_NETFILTER);
  return {
    route,
    generic,
    netfilter,
    close() {
      route.close();
      generic.close();
      netfilter.close();
    },
  };
}
