import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { openRawSocket, RawSocketError } from "../../src/kernel/rawsocket.ts";
import { ipAddress } from "../../src/net/address.ts";
import { buildDatagram } from "../../src/wire/datagram.ts";

const localhost = ipAddress("127.0.0.1");

function datagram(to: string, port: number, payload: Buffer): Buffer {
  return buildDatagram(
    {
      source: { address: localhost, port: 4321 },
      destination: { address: ipAddress(to), port },
      payload,
    },
    64,
  );
}

async function rejectsWith(promise: Promise<void>, code: string): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof RawSocketError && error.code === code);
}

test("packets arrive whole, from the port in their header, many at once", async () => {
  const receiver = createSocket("udp4").bind(0, "127.0.0.1");
  await once(receiver, "listening");
  const socket = openRawSocket({ mark: 7, device: "lo" });
  const got: string[] = [];
  const all = new Promise<void>((resolve) => {
    receiver.on("message", (message, from) => {
      assert.equal(from.port, 4321);
      got.push(message.toString());
      if (got.length === 50) resolve();
    });
  });
  const { port } = receiver.address();
  const names = Array.from({ length: 50 }, (_, i) => `packet ${i}`);
  await Promise.all(
    names.map((name) => socket.send(datagram("127.0.0.1", port, Buffer.from(name)))),
  );
  await all;
  assert.deepEqual(got, names);
  receiver.close();
  socket.close();
});

test("errors carry the operation and the C name of errno", async () => {
  const socket = openRawSocket({ device: "lo" });
  await rejectsWith(socket.send(Buffer.alloc(19)), "EINVAL");
  // No SO_BROADCAST: raw_sendmsg in net/ipv4/raw.c.
  await rejectsWith(socket.send(datagram("255.255.255.255", 9, Buffer.of())), "EACCES");
  socket.close();
  assert.throws(
    () => openRawSocket({ device: "no-such-device0" }),
    (error) =>
      error instanceof RawSocketError &&
      error.code === "ENODEV" &&
      error.operation === "SO_BINDTODEVICE no-such-device0",
  );
});

test("after close nothing is sent, and what waited is rejected", async () => {
  const socket = openRawSocket();
  const waiting = rejectsWith(socket.send(datagram("127.0.0.1", 9, Buffer.of())), "ECANCELED");
  socket.close();
  socket.close();
  await waiting;
  await rejectsWith(socket.send(datagram("127.0.0.1", 9, Buffer.of())), "ECANCELED");
});

test("an idle socket does not keep the process alive", () => {
  // Left open on purpose: the runner would hang on it.
  openRawSocket();
});
