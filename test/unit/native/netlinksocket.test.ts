import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { loadAddon, type NetlinkSocket } from "../../../src/native/addon.ts";
import { dumpLinks, messagesOf, NLMSG_DONE, RTM_NEWLINK } from "./netlink-bytes.ts";

const addon = loadAddon();
const route = { protocol: 0 };

/** Reads whole datagrams until one of them ends a dump. */
function readDump(socket: NetlinkSocket): Promise<Buffer[]> {
  return new Promise((resolve) => {
    const datagrams: Buffer[] = [];
    socket.start(() => {
      for (let datagram = socket.recv(); datagram !== undefined; datagram = socket.recv()) {
        datagrams.push(datagram);
        if ([...messagesOf(datagram)].some(({ type }) => type === NLMSG_DONE)) {
          socket.stop();
          resolve(datagrams);
        }
      }
    });
  });
}

/** Runs a script of this folder alone in a network namespace; what it prints as JSON. */
function inNamespace(script: string, ...args: string[]): unknown {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const command = ["--net", process.execPath, path, ...args];
  return JSON.parse(execFileSync("unshare", command, { encoding: "utf8", timeout: 60_000 }));
}

test("a dump of links, twice, each datagram in a buffer of its own", async () => {
  const socket = new addon.NetlinkSocket({ ...route, strictChecking: true });
  socket.send(dumpLinks(1));
  const first = await readDump(socket);
  const copies = first.map((datagram) => Buffer.from(datagram));
  socket.send(dumpLinks(2));
  const second = await readDump(socket);
  assert.deepEqual(first, copies, "a later recv() left earlier buffers alone");
  const of = (datagrams: Buffer[]) => datagrams.flatMap((datagram) => [...messagesOf(datagram)]);
  assert.ok(of(first).some(({ type }) => type === RTM_NEWLINK));
  assert.ok(of(first).every(({ sequence }) => sequence === 1));
  assert.ok(of(second).every(({ sequence }) => sequence === 2));
  for (const datagram of first) assert.equal(datagram.buffer.byteLength, datagram.length);
  socket.close();
});

test("ports are the kernel's choice, one each", () => {
  const sockets = [new addon.NetlinkSocket(route), new addon.NetlinkSocket(route)];
  const ports = sockets.map((socket) => socket.port);
  assert.ok(ports.every((port) => port > 0));
  assert.notEqual(ports[0], ports[1]);
  for (const socket of sockets) socket.close();
});

test("errors have code, number and call", () => {
  assert.throws(() => new addon.NetlinkSocket({ protocol: 31 }), {
    message: "EPROTONOSUPPORT: Protocol not supported, socket netlink",
    code: "EPROTONOSUPPORT",
    errno: 93,
    syscall: "socket netlink",
  });
  const socket = new addon.NetlinkSocket({ ...route, sendBuffer: 4096 });
  assert.throws(() => socket.send(Buffer.alloc(1 << 20)), { code: "EMSGSIZE" });
  assert.throws(() => socket.join(4096), { code: "EINVAL", syscall: "join netlink group 4096" });
  assert.throws(() => socket.join(0), /group: want an integer from 1/);
  assert.throws(() => new addon.NetlinkSocket({} as never), /protocol: want a number/);
  socket.close();
});

test("after close: nothing to receive, EBADF for the rest, and close again is nothing", () => {
  const socket = new addon.NetlinkSocket(route);
  socket.start(() => assert.fail("closed"));
  socket.send(dumpLinks(1));
  socket.close();
  socket.close();
  socket.stop();
  socket.unref();
  assert.equal(socket.recv(), undefined);
  assert.throws(() => socket.send(dumpLinks(1)), { code: "EBADF" });
  assert.throws(() => socket.start(() => {}), { code: "EBADF" });
});

test("close in the callback, in the middle of what there is to read", async () => {
  await new Promise<void>((resolve) => {
    const socket = new addon.NetlinkSocket(route);
    socket.start(() => {
      socket.recv();
      socket.close();
      assert.equal(socket.recv(), undefined);
      resolve();
    });
    socket.send(dumpLinks(1));
    socket.send(dumpLinks(2));
  });
});

test("messages that another process sends are not let out", () => {
  const socket = new addon.NetlinkSocket(route);
  const forged = `
import socket, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
for _ in range(10): s.sendto(bytes.fromhex("14000000020000000100000000000000ffffffff"), (int(sys.argv[1]), 0))
`;
  execFileSync("python3", ["-c", forged, String(socket.port)]);
  socket.send(dumpLinks(3));
  const datagram = socket.recv();
  assert.ok(datagram !== undefined);
  assert.ok([...messagesOf(datagram)].every(({ sequence }) => sequence === 3));
  socket.close();
});

test("lost events: the loop goes on, ENOBUFS is thrown once, and later events arrive", () => {
  const heard = inNamespace("./link-events.js", "lossy");
  assert.deepEqual(heard, { losses: 1, complete: false, later: true });
});

test("lost events with noEnobufs: nothing is thrown, and later events arrive", () => {
  const heard = inNamespace("./link-events.js", "silent");
  assert.deepEqual(heard, { losses: 0, complete: false, later: true });
});

test("a large receive buffer holds all that happens while the loop is busy", () => {
  const heard = inNamespace("./link-events.js", "large");
  assert.deepEqual(heard, { losses: 0, complete: true, later: true });
});

test("what a callback throws is an uncaught exception, and the socket goes on", () => {
  assert.deepEqual(inNamespace("./throwing-callback.js"), ["first", "second"]);
});

test("environments end with sockets open and watched, however they end", async () => {
  const worker = fileURLToPath(new URL("./socket-worker.js", import.meta.url));
  const ends = ["terminate", "terminate", "terminate", "exit", "return", "throw"].map(
    async (how) => {
      const thread = new Worker(worker, { workerData: how });
      const ended = new Promise((resolve) => thread.once("exit", resolve));
      thread.on("error", (error) => assert.equal(error.message, "as asked"));
      await new Promise((resolve) => thread.once("message", resolve));
      if (how === "terminate") await thread.terminate();
      await ended;
    },
  );
  await Promise.all(ends);
});

test("a socket that is neither watched nor known any more is closed with its object", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let i = 0; i < 50; i++) new addon.NetlinkSocket(route);
  assert.ok(descriptors() >= before + 50);
  for (let turn = 0; descriptors() > before && turn < 100; turn++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(descriptors() <= before);
});
