/** A worker thread that ends with netlink sockets open, one of them watched and readable, one closing. */
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "../../../src/native/addon.ts";
import { dumpLinks } from "./netlink-bytes.ts";

const { NetlinkSocket } = loadAddon();
const open = () => new NetlinkSocket({ protocol: 0 });
const idle = open();
const watched = open();
// Never read, so that the loop calls back without end.
watched.start(() => {});
watched.send(dumpLinks(1));
const closing = open();
closing.start(() => {});
setImmediate(() => {
  parentPort?.postMessage(idle.port);
  closing.close();
  if (workerData === "exit") process.exit();
  if (workerData === "return") watched.unref();
  if (workerData === "throw") throw new Error("as asked");
});
