import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Writer } from "../../../src/tunnel/writer.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";
import { turns, world } from "../../support/tunnel.ts";

const names = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`);
const hub = (count: number) =>
  world(
    configuration([
      tunnel(
        "h",
        names(count).map((n) => peer(n)),
      ),
    ]),
  );

test("what happens in one turn of the event loop goes out together", async () => {
  const { writer, applier, peer } = hub(3);
  for (const name of names(3)) {
    peer(`h/${name}`).wanted = at("198.51.100.2:1");
    writer.touch(peer(`h/${name}`));
  }
  await writer.settled();
  assert.deepEqual(
    applier.moves.map((moves) => moves.map((m) => m.peer.name)),
    [names(3)],
  );
  assert.equal(peer("h/p0").applied, peer("h/p0").wanted);
});

test("1000 touches while a write is under way: each peer once more, with its last state", async () => {
  const { writer, applier, peer } = hub(10);
  applier.hold();
  peer("h/p0").wanted = at("198.51.100.1:1");
  writer.touch(peer("h/p0"));
  await turns();
  for (let i = 0; i < 1000; i++) {
    const one = peer(`h/p${i % 10}`);
    one.wanted = at(`198.51.100.${i % 10}:${i + 1}`);
    writer.touch(one);
  }
  applier.release();
  await writer.settled();
  assert.deepEqual(
    applier.moves.map((moves) => moves.length),
    [1, 10],
  );
  const second = applier.moves[1] ?? [];
  for (const { peer: one, before, after } of second) {
    const i = Number(one.name.slice(1));
    assert.equal(after?.endpoint.port, 990 + i + 1);
    assert.equal(
      before?.endpoint.port,
      i === 0 ? 1 : undefined,
      "what the kernel holds, not what was meant",
    );
  }
});

test("whoever waits is told when its own decision is written, not when the flood ends", async () => {
  const { writer, applier, peer } = hub(2);
  applier.hold();
  writer.touch(peer("h/p0"));
  await turns();
  writer.touch(peer("h/p1"));
  let settled = false;
  const wait = writer.settled().then(() => {
    settled = true;
  });
  applier.release();
  applier.hold();
  await turns();
  assert.equal(settled, false, "its write is under way");
  writer.touch(peer("h/p0"));
  applier.release();
  applier.hold();
  await turns();
  assert.equal(settled, true, "though another is under way already");
  applier.release();
  await wait;
  await writer.settled();
  assert.equal(applier.moves.length, 3);
});

test("a touch at the very moment that a write ends is not lost", async () => {
  for (let ticks = 0; ticks < 12; ticks++) {
    const { writer, applier, peer } = hub(2);
    const move = applier.move.bind(applier);
    applier.move = async (moves) => {
      await move(moves);
      if (applier.moves.length > 1) return;
      let later: Promise<void> = Promise.resolve();
      for (let i = 0; i < ticks; i++) later = later.then(() => undefined);
      void later.then(() => writer.touch(peer("h/p1")));
    };
    writer.touch(peer("h/p0"));
    await turns();
    assert.equal(applier.moves.length, 2, `${ticks} ticks later`);
  }
});

test("a failed write: pauses that double, then everything is compared", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { writer, applier, peer, events } = hub(2);
    applier.failures = [new Error("EBUSY"), new Error("EBUSY"), new Error("EBUSY")];
    applier.repairs = ["add fou port 1"];
    writer.touch(peer("h/p0"));
    await turns();
    assert.equal(applier.moves.length, 1);
    for (const [tried, pause] of [
      [0, 200],
      [1, 400],
      [2, 800],
    ] as const) {
      assert.equal(applier.reconciled.length, tried);
      mock.timers.tick(pause - 1);
      await turns();
      assert.equal(applier.reconciled.length, tried, "not before the pause has passed");
      mock.timers.tick(1);
      await turns();
    }
    assert.equal(applier.reconciled.length, 3);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["failed", "repaired"],
      "the same complaint is made once",
    );
    applier.failures = [new Error("again")];
    writer.touch(peer("h/p0"));
    await turns();
    assert.match(events.at(-1)?.reason ?? "", /^again/, "after a success it is news again");
    mock.timers.tick(200);
    await turns();
    assert.equal(applier.reconciled.length, 4, "the pause starts anew");
    await writer.close();
  } finally {
    mock.timers.reset();
  }
});

test("the pause has an end", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { writer, applier, peer, events } = hub(1);
    applier.failures = Array.from({ length: 12 }, () => new Error("EBUSY"));
    writer.touch(peer("h/p0"));
    for (let i = 0; i < 12; i++) {
      await turns();
      mock.timers.tick(10_000);
    }
    assert.equal(applier.reconciled.length, 11, "each 10 s at the latest");
    assert.equal(events.length, 1);
    await writer.close();
  } finally {
    mock.timers.reset();
  }
});

test("a repair is news when the kernel differed, a wish of our own is none", async () => {
  const { writer, applier, events } = hub(1);
  applier.repairs = ["a", "b", "c", "d", "e"];
  writer.reconcile(undefined);
  await writer.settled();
  assert.deepEqual(events, []);
  writer.reconcile(undefined);
  writer.reconcile("h is gone");
  writer.reconcile(undefined);
  await writer.settled();
  assert.equal(applier.reconciled.length, 2, "one comparison for all three");
  assert.deepEqual(
    events.map(({ event, reason }) => [event, reason]),
    [["repaired", "h is gone: a; b; c; and 2 more"]],
  );
  applier.repairs = [];
  writer.reconcile("h came up");
  await writer.settled();
  assert.equal(events.length, 1, "nothing differed");
});

test("close waits for the write under way, and none starts after it", async () => {
  const { writer, applier, peer } = hub(2);
  applier.hold();
  writer.touch(peer("h/p0"));
  await turns();
  writer.touch(peer("h/p1"));
  let closed = false;
  const closing = writer.close().then(() => {
    closed = true;
  });
  await turns();
  assert.equal(closed, false);
  applier.release();
  await closing;
  writer.touch(peer("h/p1"));
  writer.reconcile("late");
  await turns();
  assert.equal(applier.moves.length, 1);
  assert.equal(applier.reconciled.length, 0);
  await writer.settled();
});

test("before the first state stands nothing is written; what gathered goes out then", async () => {
  const { applier, peers, emit, situation, peer } = hub(2);
  const writer = new Writer(applier, peers, situation, emit);
  writer.touch(peer("h/p0"));
  await turns();
  assert.equal(applier.moves.length, 0, "a start that is under way writes alone");
  writer.begin();
  await writer.settled();
  assert.deepEqual(
    applier.moves.map((moves) => moves.map((m) => m.peer.name)),
    [["p0"]],
  );
});

test("while the whole can't be written, single peers are, and the same complaint is made once", async () => {
  const { writer, applier, peer, events } = hub(2);
  applier.failures.push(new Error("EEXIST"), new Error("EEXIST"));
  writer.touch(peer("h/p0"));
  await writer.settled();
  writer.touch(peer("h/p1"));
  await writer.settled();
  writer.touch(peer("h/p1"));
  await writer.settled();
  assert.deepEqual(
    applier.moves.map((moves) => moves.map((m) => m.peer.name)),
    [["p0"], ["p1"], ["p1"]],
  );
  assert.equal(events.filter(({ event }) => event === "failed").length, 1);
  await writer.close();
});

test("a repair does not wait for what can't be written, and becomes slow where it is a fight", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { writer, applier, events } = hub(1);
    applier.failures = [new Error("EEXIST"), new Error("EEXIST"), new Error("EEXIST")];
    writer.reconcile(undefined);
    for (const pause of [200, 400]) {
      await turns();
      mock.timers.tick(pause);
    }
    await turns();
    assert.equal(applier.reconciled.length, 3, "the next try is 800 ms away");
    applier.repairs = ["add a route"];
    writer.repair("a route was removed");
    mock.timers.tick(200);
    await turns();
    assert.equal(applier.reconciled.length, 4);
    assert.equal(events.at(-1)?.reason, "a route was removed: add a route");
    for (let i = 0; i < 4; i++) {
      writer.repair("a route was removed");
      await turns();
    }
    assert.equal(applier.reconciled.length, 8);
    assert.equal(events.at(-1)?.event, "contested");
    assert.match(events.at(-1)?.reason ?? "", /^add a route: again and again; last: a route was/);
    writer.repair("a route was removed");
    await turns();
    assert.equal(applier.reconciled.length, 8, "it waits");
    writer.reconcile(undefined);
    await turns();
    assert.equal(applier.reconciled.length, 9, "what we want ourselves does not");
    mock.timers.tick(1000);
    await turns();
    assert.equal(applier.reconciled.length, 10);
    await writer.close();
  } finally {
    mock.timers.reset();
  }
});

test("a repair that fails at first still says what it was", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { writer, applier, events } = hub(1);
    applier.failures = [new Error("EBUSY")];
    applier.repairs = ["add d"];
    writer.repair("d is gone");
    await turns();
    mock.timers.tick(200);
    await turns();
    assert.equal(events.at(-1)?.reason, "d is gone: add d");
    await writer.close();
  } finally {
    mock.timers.reset();
  }
});

test("of exchanges that gather while a write is under way each tunnel's last is done", async () => {
  const { writer, applier, peer } = hub(1);
  applier.hold();
  writer.touch(peer("h/p0"));
  await turns();
  const done: string[] = [];
  for (let i = 0; i < 1000; i++) {
    writer.exchange("h", () => done.push(`h ${i}`));
    writer.exchange("other", () => done.push(`other ${i}`));
  }
  applier.release();
  await writer.settled();
  await writer.settled();
  assert.deepEqual(done, ["h 999", "other 999"]);
});

test("false alarms in a row: the next comparison waits the longer, the longer they take", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 1000;
  const clock = mock.method(performance, "now", () => now);
  try {
    const { writer, applier, events } = hub(1);
    const alarm = async (takes: number): Promise<void> => {
      applier.hold();
      writer.repair("somebody was here");
      await turns();
      now += takes;
      applier.release();
      await turns();
    };
    for (let i = 1; i < 9; i++) await alarm(50);
    assert.equal(applier.reconciled.length, 8, "they may be echoes of one damage");
    await alarm(50);
    assert.equal(applier.reconciled.length, 9, "nor has this one waited");
    applier.repairs = ["add ipipou0"];
    writer.repair("again");
    now += 449;
    mock.timers.tick(449);
    await turns();
    assert.equal(applier.reconciled.length, 9);
    now += 1;
    mock.timers.tick(1);
    await turns();
    assert.equal(applier.reconciled.length, 10);
    assert.equal(events.at(-1)?.reason, "again: add ipipou0");
    await alarm(50);
    await alarm(50);
    assert.equal(applier.reconciled.length, 12, "no longer in a row");
  } finally {
    clock.mock.restore();
    mock.timers.reset();
  }
});

test("what is refused again and again is tried less and less often, however often somebody cries for a repair", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 1000;
  const clock = mock.method(performance, "now", () => now);
  try {
    const { writer, applier } = hub(1);
    applier.failures = Array.from({ length: 1000 }, () => new Error("EEXIST"));
    // A minute, in which it looks as if somebody had a hand in it, twice a second.
    for (let i = 0; i < 600; i++) {
      if (i % 5 === 0) writer.repair("somebody was here");
      await turns(3);
      now += 100;
      mock.timers.tick(100);
      await turns(3);
    }
    const tries = applier.reconciled.length;
    assert.ok(tries >= 6 && tries <= 20, `${tries} tries`);
  } finally {
    clock.mock.restore();
    mock.timers.reset();
  }
});
