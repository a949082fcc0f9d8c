import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import { Monitor } from "../../../src/tunnel/monitor.ts";
import { checksum } from "../../../src/wire/checksum.ts";

const target = ipAddress("172.28.0.1");

function start(failures = 3) {
  const log: string[] = [];
  const net = {
    asked: [] as Buffer[],
    open: 0,
    down: false,
    hand: (_packet: Buffer): void => undefined,
  };
  const monitor = new Monitor({
    rule: { ping: target, interval: 10_000, failures },
    open: (onPacket) => {
      if (net.down) throw new Error("ENODEV");
      net.open++;
      net.hand = onPacket;
      let closed = false;
      return {
        send: (message, to) => {
          assert.equal(to, target);
          net.asked.push(Buffer.from(message));
        },
        close: () => {
          assert.equal(closed, false, "closed twice");
          closed = true;
          net.open--;
        },
      };
    },
    onAlive: () => log.push("alive"),
    onFailure: (reason) => log.push(reason),
  });
  return { log, net, monitor };
}

type Started = ReturnType<typeof start>;

/** Whatever the last request was, from the target; `change` before its checksum is right again. */
function answer({ net }: Started, change = (_packet: Buffer): void => undefined): void {
  const message = Buffer.from(net.asked.at(-1) ?? assert.fail("nothing was asked"));
  const packet = Buffer.concat([Buffer.alloc(20), message]);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet[9] = 1;
  packet.set([172, 28, 0, 1], 12);
  packet[20] = 0;
  change(packet);
  packet.writeUInt16BE(0, 22);
  packet.writeUInt16BE(checksum(packet.subarray(20)), 22);
  net.hand(packet);
}

/** One by one: a timer that a timer sets counts from the end of its tick. */
function intervals(count: number): void {
  for (let i = 0; i < count; i++) mock.timers.tick(10_000);
}

function clocked(body: (started: Started) => void, failures?: number) {
  return () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const chance = mock.method(Math, "random", () => 0.5);
    const started = start(failures);
    try {
      mock.timers.tick(5000);
      body(started);
      started.monitor.close();
      assert.equal(started.net.open, 0, "a socket stays open");
      const count = started.net.asked.length;
      intervals(6);
      assert.equal(started.net.asked.length, count, "it goes on after close");
    } finally {
      chance.mock.restore();
      mock.timers.reset();
    }
  };
}

test(
  "asks every interval, each time otherwise, and listens until the answer only",
  clocked((started) => {
    const { log, net } = started;
    for (let i = 0; i < 5; i++) {
      assert.equal(net.asked.length, i + 1);
      assert.equal(net.open, 1);
      answer(started);
      assert.equal(net.open, 0);
      intervals(1);
    }
    assert.deepEqual(log, Array(5).fill("alive"));
    assert.equal(new Set(net.asked.map((one) => one.toString("hex"))).size, net.asked.length);
  }),
);

test(
  "so many misses in a row are a failure, and so many again the next; one answer and they begin anew",
  clocked((started) => {
    const { log } = started;
    intervals(2);
    assert.deepEqual(log, []);
    intervals(1);
    assert.equal(log.length, 1);
    assert.match(log[0] ?? "", /172\.28\.0\.1 has not answered 3 pings/);
    intervals(2);
    assert.equal(log.length, 1);
    intervals(1);
    assert.equal(log.length, 2);
    answer(started);
    intervals(3);
    assert.equal(log.length, 3, "alive, and not a failure more");
  }),
);

test(
  "only the very answer counts: identifier, sequence, nonce, source and type",
  clocked((started) => {
    const { log } = started;
    answer(started, (packet) => packet.writeUInt16BE(packet.readUInt16BE(24) ^ 1, 24));
    answer(started, (packet) => packet.writeUInt16BE(packet.readUInt16BE(26) ^ 1, 26));
    answer(started, (packet) => packet.writeUInt8(packet.readUInt8(40) ^ 1, 40));
    answer(started, (packet) => packet.writeUInt8(2, 15));
    answer(started, (packet) => packet.writeUInt8(8, 20));
    answer(started, (packet) => packet.writeUInt16BE(packet.length - 1, 2));
    assert.deepEqual(log, []);
    answer(started);
    answer(started);
    assert.deepEqual(log, ["alive"], "and it counts once");
  }),
);

test(
  "a device that is not there is no answer either, and asked again when it is back",
  clocked((started) => {
    const { log, net } = started;
    answer(started);
    net.down = true;
    intervals(2);
    assert.equal(log.length, 2);
    net.down = false;
    intervals(1);
    answer(started);
    assert.equal(log.at(-1), "alive");
  }, 1),
);
