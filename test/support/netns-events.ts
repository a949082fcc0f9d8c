/**
 * Runs inside a namespace, for test/kernel/netlink.test.ts: what notifications tell of d0 while it goes up
 * and away, and what a socket with room for next to nothing tells of many changes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { decodeLink, deleteLink, RTM_DELLINK, setLinkUp } from "../../src/kernel/link.ts";
import { RTNLGRP_LINK } from "../../src/kernel/rtnetlink.ts";
import { loadAddon } from "../../src/native/addon.ts";
import { Netlink } from "../../src/netlink/connection.ts";
import { NETLINK_ROUTE } from "../../src/netlink/constants.ts";
import { NetlinkEvents } from "../../src/netlink/events.ts";
import { devices } from "./devices.ts";

const addon = loadAddon();
const index = Number(process.argv[2]);
const known = devices();
const netlink = new Netlink(new addon.NetlinkSocket({ protocol: NETLINK_ROUTE }));

const seen: string[] = [];
const wide = new addon.NetlinkSocket({ protocol: NETLINK_ROUTE, receiveBuffer: 4 << 20 });
const events = new NetlinkEvents(wide, [RTNLGRP_LINK]);
events.listen(
  (message) => {
    const link = decodeLink(message, known);
    if (link?.index !== index) return;
    seen.push(message.type === RTM_DELLINK ? "gone" : link.up ? "up" : "down");
  },
  () => seen.push("loss"),
);

let losses = 0;
const narrow = new addon.NetlinkSocket({ protocol: NETLINK_ROUTE, receiveBuffer: 4096 });
const narrowEvents = new NetlinkEvents(narrow, [RTNLGRP_LINK]);
narrowEvents.listen(
  () => {},
  () => losses++,
);

const changes = Array.from({ length: 100 }, (_, i) => setLinkUp(index, i % 2 === 0));
const refused = (await netlink.requestAll(changes)).filter(Boolean).length;
await netlink.request(deleteLink(index));
while (!seen.includes("gone")) await sleep(5);
while (losses === 0) await sleep(5);

const flips = seen.filter((state, i) => state !== seen[i - 1]);
console.log(JSON.stringify({ refused, flips, losses }));
netlink.close();
events.close();
narrowEvents.close();
