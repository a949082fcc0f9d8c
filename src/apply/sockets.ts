/** The conversations with the kernel that the daemon keeps open, one for each family. */
import type { Addon } from "../native/addon.ts";
import { Netlink } from "../netlink/connection.ts";

export interface Sockets {
  readonly route: Netlink;
  readonly generic: Netlink;
  readonly netfilter: Netlink;
  close(): void;
}

// include/uapi/linux/netlink.h
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const NETLINK_GENERIC = 16;

/**
 * An acknowledgement costs 768 bytes of the receive buffer, a ruleset of 100,000 elements is sent in
 * datagrams as large as the send buffer allows.
 */
const BUFFER = 4 << 20;

export function openSockets(addon: Addon): Sockets {
  const open = (protocol: number): Netlink =>
    new Netlink(
      new addon.NetlinkSocket({
        protocol,
        receiveBuffer: BUFFER,
        sendBuffer: BUFFER,
        // Dumps are filtered by the kernel, and unknown bits in a request are refused.
        strictChecking: protocol === NETLINK_ROUTE,
      }),
    );
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
