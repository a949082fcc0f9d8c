/**
 * Alone in a network namespace: makes hundreds of link events while the event loop is busy, and one
 * more when it is not. Prints what a socket with a `lossy`, `silent` or `large` buffer heard.
 */
import { execFile, execFileSync } from "node:child_process";
import { loadAddon, type SystemError } from "../../../src/native/addon.ts";
import { messagesOf, RTM_NEWLINK, RTNLGRP_LINK } from "./netlink-bytes.ts";

const EVENTS = 400;
const kind = process.argv[2];

const { NetlinkSocket } = loadAddon();
const socket = new NetlinkSocket({
  protocol: 0,
  receiveBuffer: kind === "large" ? 8 << 20 : 4096,
  noEnobufs: kind === "silent",
});
socket.join(RTNLGRP_LINK);

let losses = 0;
let events = 0;
let eventsWhenBusy: number | undefined;

function read(): void {
  for (;;) {
    try {
      const datagram = socket.recv();
      if (datagram === undefined) break;
      for (const { type } of messagesOf(datagram)) if (type === RTM_NEWLINK) events++;
    } catch (error) {
      if ((error as SystemError).code !== "ENOBUFS") throw error;
      losses++;
    }
  }
  if (eventsWhenBusy === undefined) {
    eventsWhenBusy = events;
    execFile("ip", ["link", "set", "lo", "mtu", "9999"]);
  } else if (events > eventsWhenBusy) {
    socket.close();
    const complete = eventsWhenBusy >= EVENTS;
    console.log(JSON.stringify({ losses, complete, later: true }));
  }
}

socket.start(read);
const changes = Array.from({ length: EVENTS }, (_, i) => `link set lo mtu ${1500 + i}\n`);
execFileSync("ip", ["-batch", "-"], { input: changes.join("") });
