/** Notifications of rtnetlink, sorted by what they mean for tunnels. */
import { decodeDevice, IFF_UP, RTM_DELLINK, RTM_NEWLINK } from "../kernel/link.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "../kernel/route.ts";
import { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_LINK } from "../kernel/rtnetlink.ts";
import type { Addon } from "../native/addon.ts";
import { readU32 } from "../netlink/attributes.ts";
import { NetlinkEvents } from "../netlink/events.ts";
import type { Message } from "../netlink/request.ts";
import { isOurProtocol } from "../plan/ownership.ts";

export interface HostListener {
  /** A device of ours came up again, or is gone. */
  onTunnelChanged(device: string, how: string): void;
  /** Addresses, links or routes that are not ours; several in one go make one call. */
  onHostChanged(): void;
  onLoss(): void;
}

const NETLINK_ROUTE = 0;
const BUFFER = 4 << 20;
/** Milliseconds in which changes gather. */
const GATHER = 20;

/** Gives a function that ends it. */
export function watchHost(
  addon: Addon,
  interfaces: ReadonlySet<string>,
  listener: HostListener,
): () => void {
  const socket = new addon.NetlinkSocket({ protocol: NETLINK_ROUTE, receiveBuffer: BUFFER });
  const events = new NetlinkEvents(socket, [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE]);
  const down = new Set<string>();
  let gathering: NodeJS.Timeout | undefined;
  const hostChanged = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      listener.onHostChanged();
    }, GATHER);
  };
  const onLink = (message: Message): void => {
    const device = decodeDevice(message);
    if (device === undefined) return;
    if (!interfaces.has(device.name)) hostChanged();
    else if (message.type === RTM_DELLINK) {
      down.delete(device.name);
      listener.onTunnelChanged(device.name, "is gone");
    } else if ((readU32(message.payload, 8) & IFF_UP) === 0) down.add(device.name);
    else if (down.delete(device.name)) listener.onTunnelChanged(device.name, "came up");
  };
  events.listen(
    (message) => {
      if (message.type === RTM_NEWLINK || message.type === RTM_DELLINK) onLink(message);
      else if (!isRoute(message) || isDefaultRoute(message)) hostChanged();
    },
    () => {
      listener.onLoss();
      hostChanged();
    },
  );
  socket.unref();
  return () => {
    clearTimeout(gathering);
    events.close();
  };
}

function isRoute({ type }: Message): boolean {
  return type === RTM_NEWROUTE || type === RTM_DELROUTE;
}

/** Of all routes only these decide where tunnels leave; a router's other ones may change all day. */
function isDefaultRoute({ payload }: Message): boolean {
  return payload[1] === 0 && !isOurProtocol(payload[5] ?? 0);
}
