/** Prints which exceptions of a poll's callback reached `uncaughtException`. */
import { loadAddon } from "../../../src/native/addon.ts";
import { dumpLinks } from "./netlink-bytes.ts";

const { NetlinkSocket } = loadAddon();
const socket = new NetlinkSocket({ protocol: 0 });
const names = ["first", "second"];
const caught: string[] = [];

process.on("uncaughtException", (error) => {
  caught.push(error.message);
  if (caught.length < names.length) return;
  socket.close();
  console.log(JSON.stringify(caught));
});
socket.start(() => {
  throw new Error(names[caught.length]);
});
socket.send(dumpLinks(1));
