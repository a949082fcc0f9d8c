import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Netlink } from "../../../src/netlink/connection.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
} from "../../../src/netlink/constants.ts";
import { KernelError, NoReply } from "../../../src/netlink/errors.ts";
import type { Request } from "../../../src/netlink/request.ts";
import { ack, done, FakeKernel, reply, systemError } from "../../support/fake-kernel.ts";

const TYPE = 24;

function request(operation: string, payload = "payload"): Request {
  return { operation, type: TYPE, flags: 0, payload: Buffer.from(payload) };
}

const texts = (messages: { payload: Buffer }[]): string[] =>
  messages.map(({ payload }) => payload.toString());

test("a request gets its replies and its acknowledgement", async () => {
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(reply(first, 16, "one"), ack(first));
  });
  const netlink = new Netlink(kernel);
  assert.deepEqual(texts(await netlink.request(request("a"))), ["one"]);
  const sent = kernel.received[0]?.[0];
  assert.equal(sent?.flags, NLM_F_REQUEST | NLM_F_ACK);
  assert.equal(sent?.payload.toString(), "payload");
  assert.equal(kernel.referenced, false);
});

test("replies find their requests by sequence, in whatever order and with strangers between", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel);
  const first = netlink.request(request("first"));
  const second = netlink.request(request("second"));
  assert.equal(kernel.referenced, true);
  const [[a], [b]] = kernel.received as [[never], [never]];
  kernel.answer(reply(b, 16, "b"), { ...reply(a, 16, "event"), sequence: 0 });
  kernel.answer({ ...reply(a, 16, "unknown"), sequence: 999 });
  kernel.answer(ack(b), reply(a, 16, "a"));
  kernel.answer(ack(a));
  kernel.wake();
  assert.deepEqual(texts(await first), ["a"]);
  assert.deepEqual(texts(await second), ["b"]);
  assert.equal(kernel.referenced, false);
});

test("a long row of lists lets the event loop turn: a watchdog waits for no thousand sets", async () => {
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(done(first));
  });
  const netlink = new Netlink(kernel);
  let turned = false;
  void turn().then(() => {
    turned = true;
  });
  for (let i = 0; i < 100; i++) await netlink.dump(request("list"));
  assert.ok(turned);
});

test("a refusal carries operation, errno and the kernel's words", async () => {
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(ack(first, 22, "Nexthop id does not exist", 36));
  });
  await assert.rejects(new Netlink(kernel).request(request("RTM_NEWROUTE x")), {
    name: "KernelError",
    message: "RTM_NEWROUTE x: EINVAL (Nexthop id does not exist)",
    errno: 22,
    code: "EINVAL",
    kernelText: "Nexthop id does not exist",
    attributeOffset: 36,
  });
});

test("many requests go in few datagrams; result i belongs to request i", async () => {
  const kernel = new FakeKernel((messages, self) => {
    // netlink_rcv_skb() answers what it refuses, and who asks.
    for (const message of messages) {
      const number = Number(message.payload.toString());
      const asks = (message.flags & NLM_F_ACK) !== 0;
      assert.equal(asks, message === messages.at(-1), "the last asks for all");
      if (asks || number % 3 === 0) self.answer(ack(message, number % 3 === 0 ? 17 : 0));
    }
  });
  const netlink = new Netlink(kernel, { inFlight: 10 });
  const requests = Array.from({ length: 25 }, (_, i) => request(`r${i}`, `${i}`));
  const results = await netlink.requestAll(requests);
  assert.deepEqual(
    results.map((result) => result?.message),
    requests.map((_, i) => (i % 3 === 0 ? `r${i}: EEXIST` : undefined)),
  );
  assert.deepEqual(
    kernel.received.map(({ length }) => length),
    [10, 10, 5],
  );
  assert.deepEqual(await netlink.requestAll([]), []);
});

test("datagrams keep to their size, and shrink where the send buffer is smaller", async () => {
  const sizes: number[] = [];
  const kernel = new FakeKernel((messages, self) => {
    const size = messages.reduce((sum, { payload }) => sum + 16 + payload.length, 0);
    if (size > 100) throw systemError("EMSGSIZE", 90);
    sizes.push(messages.length);
    for (const message of messages) self.answer(ack(message));
  });
  const netlink = new Netlink(kernel, { datagram: 400 });
  const requests = Array.from({ length: 12 }, (_, i) => request(`r${i}`, "x".repeat(16)));
  const results = await netlink.requestAll(requests);
  assert.ok(results.every((result) => result === undefined));
  assert.deepEqual(sizes, [3, 3, 3, 3]);
  const [big] = await netlink.requestAll([request("big", "x".repeat(200))]);
  assert.equal(big?.message, "big: EMSGSIZE (216 bytes are more than the send buffer holds)");
});

test("a dump is all its messages; one that was interrupted is read again", async () => {
  let round = 0;
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    round++;
    const flags = NLM_F_MULTI | (round < 3 ? NLM_F_DUMP_INTR : 0);
    self.answer(reply(first, 16, `a${round}`, NLM_F_MULTI), reply(first, 16, `b${round}`, flags));
    self.answer(reply(first, 16, `c${round}`, NLM_F_MULTI), done(first));
  });
  const netlink = new Netlink(kernel);
  assert.deepEqual(texts(await netlink.dump(request("list"))), ["a3", "b3", "c3"]);
  assert.equal(kernel.received[0]?.[0]?.flags, NLM_F_REQUEST | NLM_F_DUMP);
});

test("an interruption that stands only at the end counts", async () => {
  let round = 0;
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    round++;
    self.answer(reply(first, 16, `${round}`), done(first, 0, round === 1 ? NLM_F_DUMP_INTR : 0));
  });
  assert.deepEqual(texts(await new Netlink(kernel).dump(request("list"))), ["2"]);
});

test("a dump that is always interrupted ends with an error", async () => {
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(done(first, 0, NLM_F_DUMP_INTR));
  });
  await assert.rejects(new Netlink(kernel, { dumpAttempts: 4 }).dump(request("list")), {
    name: "NoReply",
    message: "list: the list changed while it was read, 4 times",
  });
  assert.equal(kernel.received.length, 4);
});

test("a dump can be refused, at its start and at its end", async () => {
  const refusing = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(ack(first, 1));
  });
  await assert.rejects(new Netlink(refusing).dump(request("list")), { code: "EPERM" });
  const failing = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer(reply(first, 16, "x"), done(first, 22));
  });
  await assert.rejects(new Netlink(failing).dump(request("list")), { code: "EINVAL" });
});

test("dumps queue: the kernel allows one at a time on a socket", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel);
  const both = Promise.all([netlink.dump(request("a")), netlink.dump(request("b"))]);
  await turn();
  assert.equal(kernel.received.length, 1);
  const [first] = kernel.received[0] ?? [];
  assert.ok(first);
  kernel.answer(ack(first, 1));
  kernel.wake();
  await assert.rejects(both, { code: "EPERM" });
  await turn();
  const [second] = kernel.received[1] ?? [];
  assert.ok(second);
  kernel.answer(done(second));
  kernel.wake();
});

test("a batch is one datagram; the last real message's acknowledgement ends it", async () => {
  const kernel = new FakeKernel((messages, self) => {
    assert.deepEqual(
      messages.map(({ flags }) => (flags & NLM_F_ACK) !== 0),
      [false, false, true, false],
    );
    assert.ok(messages[2]);
    self.answer(ack(messages[2]));
  });
  const netlink = new Netlink(kernel);
  await netlink.batch(request("begin"), [request("a"), request("b")], request("end"));
  await netlink.batch(request("begin"), [], request("end"));
  assert.equal(kernel.received.length, 1);
  assert.equal(kernel.referenced, false);
});

test("a batch rejects with its first error, from whatever message, and forgets the rest", async () => {
  for (const culprit of [0, 1, 2, 3]) {
    const kernel = new FakeKernel((messages, self) => {
      const bad = messages[culprit];
      const last = messages[2];
      assert.ok(bad && last);
      self.answer(ack(bad, 17), ack(last), ack(last, 2));
    });
    const netlink = new Netlink(kernel);
    const batch = netlink.batch(request("m0"), [request("m1"), request("m2")], request("m3"));
    await assert.rejects(batch, { name: "KernelError", message: `m${culprit}: EEXIST` });
    assert.equal(kernel.referenced, false);
  }
});

test("a rehearsal has no end, and tells of each request what the kernel has against it", async () => {
  const kernel = new FakeKernel(([begin, a, b], self) => {
    assert.ok(begin && a && b);
    self.answer(ack(a, 2), ack(b));
  });
  const netlink = new Netlink(kernel);
  const [first, second] = await netlink.rehearse(request("begin"), [request("a"), request("b")]);
  assert.equal(first?.code, "ENOENT");
  assert.equal(second, undefined);
  assert.equal(kernel.received[0]?.length, 3);
  assert.deepEqual(await netlink.rehearse(request("begin"), []), []);
  assert.equal(kernel.received.length, 1, "nothing to ask, nothing sent");
});

test("a rehearsal that does not even begin rejects", async () => {
  const kernel = new FakeKernel(([begin], self) => {
    assert.ok(begin);
    self.answer(ack(begin, 1));
  });
  const rehearsal = new Netlink(kernel).rehearse(request("begin"), [request("a")]);
  await assert.rejects(rehearsal, { name: "KernelError", code: "EPERM" });
});

test("a batch that the send buffer doesn't hold says so", async () => {
  const kernel = new FakeKernel(() => {
    throw systemError("EMSGSIZE", -90);
  });
  const batch = new Netlink(kernel).batch(request("begin"), [request("a")], request("end"));
  await assert.rejects(batch, { code: "EMSGSIZE", errno: 90 });
});

test("a reply that never comes rejects in time", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel, { replyTimeout: 20 });
  await assert.rejects(netlink.request(request("lost")), {
    name: "NoReply",
    message: "lost: no reply from the kernel within 20 ms",
  });
  assert.equal(kernel.referenced, false);
  await assert.rejects(netlink.requestAll([request("also lost")]), NoReply);
  await assert.rejects(netlink.dump(request("list")), NoReply);
});

test("a late reply harms nobody, and time starts anew with each part of a dump", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel, { replyTimeout: 40 });
  const dump = netlink.dump(request("list"));
  await turn();
  const [first] = kernel.received[0] ?? [];
  assert.ok(first);
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    kernel.answer(reply(first, 16, `${i}`));
    kernel.wake();
  }
  kernel.answer(done(first));
  kernel.wake();
  assert.equal((await dump).length, 4);
  kernel.answer(done(first));
  kernel.wake();
});

test("the time is only up when nothing waits to be read", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel, { replyTimeout: 10 });
  const answer = netlink.request(request("busy"));
  const [first] = kernel.received[0] ?? [];
  assert.ok(first);
  // The answer is there, but the poll has had no turn.
  kernel.answer(ack(first));
  assert.deepEqual(await answer, []);
});

test("after a loss, what has no answer rejects at once, and the next request works", async () => {
  let lose = true;
  const kernel = new FakeKernel((messages, self) => {
    const [a, b] = messages;
    assert.ok(a);
    self.answer(ack(a));
    if (lose) self.raw(systemError("ENOBUFS", 105));
    else if (b !== undefined) self.answer(ack(b));
  });
  const netlink = new Netlink(kernel);
  await assert.rejects(netlink.requestAll([request("a"), request("b")]), {
    name: "NoReply",
    message: "a: the kernel's reply was lost, the receive buffer was full",
  });
  lose = false;
  assert.deepEqual(await netlink.requestAll([request("a"), request("b")]), [undefined, undefined]);
});

test("garbage from the kernel costs at most the request that it was for", async () => {
  const kernel = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.raw(Buffer.from("not a message, and long enough to have a header"));
    self.raw(Buffer.alloc(3));
    self.raw(Buffer.alloc(0));
    self.answer(ack(first));
  });
  assert.deepEqual(await new Netlink(kernel).request(request("a")), []);
  const broken = new FakeKernel(([first], self) => {
    assert.ok(first);
    self.answer({ ...ack(first), payload: Buffer.alloc(7) });
  });
  await assert.rejects(new Netlink(broken).request(request("b")), {
    name: "MalformedMessage",
    message: "b/NLMSG_ERROR: want 20 bytes, got 7",
  });
});

test("a socket that can't be read any more rejects what is pending", async () => {
  const kernel = new FakeKernel((_, self) => self.raw(systemError("EBADF", 9)));
  await assert.rejects(new Netlink(kernel).request(request("a")), {
    message: "a: receiving failed: EBADF",
  });
});

test("sending can fail", async () => {
  const kernel = new FakeKernel(() => {
    throw systemError("EPERM", 1);
  });
  const netlink = new Netlink(kernel);
  await assert.rejects(netlink.request(request("a")), { name: "KernelError", code: "EPERM" });
  const results = await netlink.requestAll([request("a"), request("b")]);
  assert.deepEqual(
    results.map((result) => result instanceof KernelError && result.message),
    ["a: EPERM", "b: EPERM"],
  );
});

test("closing rejects what is pending and what comes after", async () => {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel);
  const pending = netlink.request(request("a"));
  netlink.close();
  netlink.close();
  assert.equal(kernel.closed, true);
  await assert.rejects(pending, { message: "a: the netlink socket was closed" });
  await assert.rejects(netlink.request(request("b")), {
    message: "b: the netlink socket is closed",
  });
  await assert.rejects(netlink.dump(request("c")), NoReply);
  await assert.rejects(netlink.requestAll([request("d")]), NoReply);
});
