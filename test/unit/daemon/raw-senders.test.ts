import assert from "node:assert/strict";
import { test } from "node:test";
import { RawSenders } from "../../../src/daemon/raw-senders.ts";

function open() {
  const log: string[] = [];
  const senders = new RawSenders(({ mark = 0, device = "any" }) => {
    const name = `${mark} ${device}`;
    log.push(`open ${name}`);
    return {
      send: async () => void log.push(`send ${name}`),
      close: () => void log.push(`close ${name}`),
    };
  });
  return { log, senders };
}

test("one socket a way, as long as its device is the same one", async () => {
  const { log, senders } = open();
  const packet = Buffer.alloc(28);
  senders.open({ mark: 7 });
  await senders.send(packet, { mark: 7, index: 5 });
  await senders.send(packet, { mark: 7, index: 6 });
  await senders.send(packet, { mark: 0, device: "eth0", index: 5 });
  await senders.send(packet, { mark: 0, device: "eth0", index: 5 });
  await senders.send(packet, { mark: 0, device: "eth0", index: 9 });
  senders.close();
  assert.deepEqual(log, [
    "open 7 any",
    "send 7 any",
    "send 7 any",
    "open 0 eth0",
    "send 0 eth0",
    "send 0 eth0",
    "close 0 eth0",
    "open 0 eth0",
    "send 0 eth0",
    "close 7 any",
    "close 0 eth0",
  ]);
});

test("a device that is gone is an error, and tried again when it is back", async () => {
  let gone = true;
  const senders = new RawSenders(() => {
    if (gone) throw new Error("ENODEV");
    return { send: async () => undefined, close: () => undefined };
  });
  const way = { mark: 0, device: "eth0", index: 5 };
  await assert.rejects(senders.send(Buffer.alloc(28), way), /ENODEV/);
  gone = false;
  await senders.send(Buffer.alloc(28), way);
});
