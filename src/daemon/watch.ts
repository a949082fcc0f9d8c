/** Notifications of rtnetlink, sorted by what they mean for tunnels. */
import { decodeDevice, IFF_UP, RTM_DELLINK, RTM_NEWLINK } from "../kernel/link.ts";
import { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_LINK } from "../kernel/rtnetlink.ts";
import type { Addon } from "../native/addon.ts";
import type { Link } from "../net/objects.ts";
import { readU32 } from "../netlink/attributes.ts";
import { NetlinkEvents } from "../netlink/events.ts";
import type { Message } from "../netlink/request.ts";
import { HostNews, type NewWays } from "./host-news.ts";

export interface HostListener {
  /** A device of ours came up again, or is gone. */
  onTunnelChanged(device: string, how: string): void;
  /** Addresses, links or routes that are not ours; several in one go make one call. */
  onHostChanged(ways: NewWays): void;
  onLoss(): void;
}

export interface WatchOptions {
  readonly addon: Addon;
  /** Ours. */
  readonly interfaces: ReadonlySet<string>;
  /** As they were at the last look. */
  readonly links: readonly Link[];
  readonly listener: HostListener;
}

const NETLINK_ROUTE = 0;
const BUFFER = 4 << 20;
/** Milliseconds in which changes gather. */
const GATHER = 20;

/** Gives a function that ends it. */
export function watchHost({ addon, interfaces, links, listener }: WatchOptions): () => void {
  const socket = new addon.NetlinkSocket({ protocol: NETLINK_ROUTE, receiveBuffer: BUFFER });
  const events = new NetlinkEvents(socket, [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE]);
  const down = new Set<string>();
  const news = new HostNews(links);
  let gathering: NodeJS.Timeout | undefined;
  const hostChanged = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      listener.onHostChanged(news.drain());
    }, GATHER);
  };
  /** Whether it was about a device of ours. */
  const tookOurs = (message: Message): boolean => {
    if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return false;
    const device = decodeDevice(message);
    if (device === undefined || !interfaces.has(device.name)) return false;
    if (message.type === RTM_DELLINK) {
      down.delete(device.name);
      listener.onTunnelChanged(device.name, "is gone");
    } else if ((readU32(message.payload, 8) & IFF_UP) === 0) down.add(device.name);
    else if (down.delete(device.name)) listener.onTunnelChanged(device.name, "came up");
    return true;
  };
  events.listen(
    (message) => {
      if (!tookOurs(message) && news.take(message)) hostChanged();
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
