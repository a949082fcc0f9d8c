import assert from "node:assert/strict";
import { test } from "node:test";
import { NetlinkEvents } from "../../../src/netlink/events.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { datagram, FakeKernel, systemError } from "../../support/fake-kernel.ts";

function event(type: number): Message {
  return { type, flags: 0, sequence: 0, payload: Buffer.alloc(4) };
}

test("joins its groups and passes messages on", () => {
  const kernel = new FakeKernel();
  const events = new NetlinkEvents(kernel, [1, 32]);
  assert.deepEqual([...kernel.groups], [1, 32]);
  const seen: number[] = [];
  let losses = 0;
  events.listen(
    ({ type }) => seen.push(type),
    () => losses++,
  );
  kernel.answer(event(16), event(17));
  kernel.answer(event(24));
  kernel.wake();
  assert.deepEqual(seen, [16, 17, 24]);
  assert.equal(losses, 0);
  events.close();
  assert.equal(kernel.closed, true);
});

test("says once what was lost, after what did arrive", () => {
  const kernel = new FakeKernel();
  const seen: (number | string)[] = [];
  new NetlinkEvents(kernel, []).listen(
    ({ type }) => seen.push(type),
    () => seen.push("loss"),
  );
  kernel.answer(event(16));
  kernel.raw(systemError("ENOBUFS", 105));
  kernel.answer(event(17));
  kernel.raw(Buffer.concat([datagram([event(18)]), Buffer.alloc(16)]));
  kernel.wake();
  assert.deepEqual(seen, [16, 17, 18, "loss"]);
});

test("closing within a message ends the reading", () => {
  const kernel = new FakeKernel();
  const events = new NetlinkEvents(kernel, []);
  let seen = 0;
  events.listen(
    () => {
      seen++;
      events.close();
    },
    () => {},
  );
  kernel.answer(event(16));
  kernel.answer(event(17));
  kernel.wake();
  assert.equal(seen, 1);
});
