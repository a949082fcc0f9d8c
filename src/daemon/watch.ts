/** Notifications of the kernel, sorted by what they mean for tunnels. */
import { TABLE_NEWS, TableTampering } from "../apply/nftables/tampering.ts";
import {
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_LINK,
  RTNLGRP_NEXTHOP,
} from "../kernel/rtnetlink.ts";
import type { Addon } from "../native/addon.ts";
import type { Link } from "../net/objects.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../netlink/constants.ts";
import { NetlinkEvents } from "../netlink/events.ts";
import { HostNews, type NewWays } from "./host-news.ts";
import type { Tampering } from "./tampering.ts";

export interface HostListener {
  /** What is ours is no longer as we left it, in words. What happens in one go makes one call. */
  onTampered(what: string): void;
  /** Addresses, links or routes that are not ours; several in one go make one call. */
  onHostChanged(ways: NewWays): void;
  onLoss(): void;
}

export interface WatchOptions {
  readonly addon: Addon;
  readonly tampering: Tampering;
  /** As they were at the last look. */
  readonly links: readonly Link[];
  readonly listener: HostListener;
}

const BUFFER = 4 << 20;
/** Milliseconds in which changes gather. */
const GATHER = 20;

/** Gives a function that ends it. */
export function watchHost(options: WatchOptions): () => void {
  const { addon, tampering, links, listener } = options;
  const open = (protocol: number, groups: readonly number[]): NetlinkEvents => {
    const socket = new addon.NetlinkSocket({ protocol, receiveBuffer: BUFFER });
    const events = new NetlinkEvents(socket, groups);
    socket.unref();
    return events;
  };
  const routes = open(NETLINK_ROUTE, [
    RTNLGRP_LINK,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_NEXTHOP,
  ]);
  const tables = open(NETLINK_NETFILTER, [TABLE_NEWS]);
  const news = new HostNews(links);
  const table = new TableTampering(tampering.table, (port) => tampering.isOwn(port));
  const host = gatherer<true>(() => listener.onHostChanged(news.drain()));
  // A device that goes takes others along: it is the one to be named.
  const ours = gatherer<{ readonly what: string; readonly device: boolean }>((all) =>
    listener.onTampered((all.find(({ device }) => device) ?? all[0]).what),
  );
  const lost = (): void => {
    listener.onLoss();
    host.add(true);
  };
  routes.listen((message) => {
    const device = tampering.isAboutOurs(message);
    const what = tampering.take(message);
    if (what !== undefined) ours.add({ what, device });
    if (!device && news.take(message)) host.add(true);
  }, lost);
  tables.listen((message) => {
    const author = table.take(message);
    if (author === undefined) return;
    const { name, process } = author;
    ours.add({ what: `the ruleset was changed by ${name} (process ${process})`, device: false });
  }, lost);
  return () => {
    host.end();
    ours.end();
    routes.close();
    tables.close();
  };
}

interface Gatherer<T> {
  add(item: T): void;
  end(): void;
}

/** Calls back once for all that comes within {@link GATHER}. */
function gatherer<T>(onGathered: (all: readonly [T, ...T[]]) => void): Gatherer<T> {
  let all: [T, ...T[]] | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    add(item) {
      if (all !== undefined) {
        // Who comes first and what is a device is all that is ever looked at.
        if (all.length < MOST) all.push(item);
        return;
      }
      all = [item];
      timer = setTimeout(() => {
        const gathered = all;
        all = undefined;
        if (gathered !== undefined) onGathered(gathered);
      }, GATHER);
    },
    end() {
      clearTimeout(timer);
    },
  };
}

const MOST = 1000;
