import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Configuration } from "../../../src/config/model.ts";
import type { Instance } from "../../../src/daemon/instance.ts";
import { Supervisor } from "../../../src/daemon/supervisor.ts";
import type { TunnelEvent } from "../../../src/tunnel/events.ts";
import { Peers } from "../../../src/tunnel/peers.ts";
import { configuration, peer, tunnel } from "../../support/configuration.ts";

/** A supervisor of instances that only say what is asked of them; `broken` ones fail to start. */
function world() {
  const calls: string[] = [];
  const events: TunnelEvent[] = [];
  const broken = new Set<string>();
  const fatal: unknown[] = [];
  /** What a reload changes beside the kernel. */
  const besides: string[] = [];
  const named = (name: string): Configuration => configuration([tunnel(name, [peer("a")])]);
  let file = named("one");
  const nameOf = ({ tunnels }: Configuration): string => tunnels[0]?.name ?? "";
  const make = (its: Configuration): Instance => {
    const name = nameOf(its);
    let started = false;
    const instance = {
      get started() {
        return started;
      },
      peers: new Peers(its),
      rehearse: async () => {
        calls.push(`look ${name}`);
        if (broken.has(`look ${name}`)) throw new Error(`${name} is in the way`);
      },
      start: async () => {
        calls.push(`start ${name}`);
        await Promise.resolve();
        if (broken.has(name)) throw new Error(`${name} is refused`);
        started = true;
        return () => [`add link ${name}`];
      },
      stop: async (remove: boolean) => {
        const call = `${remove ? "remove" : "stop"} ${name}`;
        calls.push(call);
        if (broken.has(call)) throw new Error(`${name} can't be removed`);
      },
    };
    return instance as unknown as Instance;
  };
  const supervisor = new Supervisor(file, {
    load: () => {
      calls.push(`load ${nameOf(file)}`);
      return file;
    },
    make,
    take: async () => ({
      commit: async () => {
        calls.push("commit");
        return besides;
      },
      abandon: async () => void calls.push("abandon"),
    }),
    emit: (event) => void events.push(event),
    fatal: (error) => void fatal.push(error),
  });
  const write = (name: string, table?: string): void => {
    file = named(name);
    if (table !== undefined) file = { ...file, table };
  };
  return { calls, events, broken, fatal, besides, supervisor, write };
}

test("a reload replaces the instance and says what changed", async () => {
  const { calls, events, besides, supervisor, write } = world();
  await supervisor.start();
  write("two");
  besides.push("add metrics");
  assert.deepEqual(await supervisor.reload(), { changes: ["add link two", "add metrics"] });
  assert.deepEqual(calls, ["start one", "load two", "look two", "stop one", "start two", "commit"]);
  assert.deepEqual(
    events.map(({ event, reason }) => [event, reason]),
    [["reloaded", "2 changes"]],
  );
});

test("what stands in the way is found while all still runs", async () => {
  const { calls, broken, supervisor, write } = world();
  await supervisor.start();
  write("two");
  broken.add("look two");
  await assert.rejects(supervisor.reload(), /two is in the way/);
  assert.deepEqual(calls, ["start one", "load two", "look two", "abandon"]);
  assert.equal(supervisor.current.started, true);
});

test("what the kernel refuses is followed by the former configuration", async () => {
  const { calls, broken, fatal, supervisor, write } = world();
  await supervisor.start();
  write("two");
  broken.add("two");
  await assert.rejects(supervisor.reload(), /two is refused/);
  assert.deepEqual(calls.slice(2), ["look two", "stop one", "start two", "start one", "abandon"]);
  assert.equal(supervisor.current.started, true);
  broken.add("one");
  await assert.rejects(supervisor.reload(), /two is refused/);
  assert.match(String(fatal), /one is refused/);
});

test("a flood of reloads ends in the last, with few of them carried out", async () => {
  const { calls, supervisor, write } = world();
  await supervisor.start();
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    write(`n${i}`);
    all.push(supervisor.reload());
  }
  await Promise.all(all);
  assert.deepEqual(
    calls.filter((call) => call.startsWith("load")),
    ["load n0", "load n99"],
  );
  assert.equal(calls.at(-2), "start n99");
});

test("a reload that nobody confirms is taken back", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { calls, supervisor, write } = world();
    await supervisor.start();
    write("two");
    await supervisor.reload(60_000);
    mock.timers.tick(59_999);
    assert.equal(calls.at(-2), "start two");
    mock.timers.tick(1);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    assert.equal(calls.at(-2), "start one");
    assert.equal(supervisor.confirm(), false);
    await supervisor.reload(60_000);
    assert.equal(supervisor.confirm(), true);
    mock.timers.tick(60_000);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    assert.equal(calls.at(-2), "start two");
  } finally {
    mock.timers.reset();
  }
});

test("a stop waits for a reload that is under way", async () => {
  const { calls, supervisor, write } = world();
  await supervisor.start();
  write("two");
  const reload = supervisor.reload();
  await Promise.all([reload, supervisor.stop()]);
  assert.deepEqual(calls.slice(-2), ["commit", "remove two"]);
  await assert.rejects(supervisor.reload(), /it is stopping/);
});

/** A few turns of the microtask queue: enough for anything that waits for no timer. */
async function turns(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve();
}

test("a way back that falls due during reloads is neither lost nor taken for one of them", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { calls, broken, supervisor, write } = world();
    await supervisor.start();
    write("two");
    await supervisor.reload(60_000);
    write("bad");
    broken.add("look bad");
    const failing = [supervisor.reload(), supervisor.reload()].map((one) => assert.rejects(one));
    mock.timers.tick(60_000);
    await Promise.all(failing);
    mock.timers.tick(0);
    await turns();
    assert.equal(calls.at(-2), "start one", "nobody confirmed two");

    write("two");
    await supervisor.reload(1000);
    mock.timers.tick(1000);
    write("three");
    await supervisor.reload();
    assert.equal(calls.at(-2), "start three", "the file that was asked for");
  } finally {
    mock.timers.reset();
  }
});

test("a reload whose turn has come stops the clock of the one before", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { calls, supervisor, write } = world();
    await supervisor.start();
    write("two");
    await supervisor.reload(1000);
    write("three");
    const reload = supervisor.reload(60_000);
    mock.timers.tick(1000);
    await reload;
    await turns();
    assert.equal(calls.at(-2), "start three");
    assert.equal(supervisor.confirm(), true);
    assert.equal(calls.at(-2), "start three");
  } finally {
    mock.timers.reset();
  }
});

test("the way back leads to what ran when the reload's turn came", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { calls, supervisor, write } = world();
    await supervisor.start();
    write("two");
    const first = supervisor.reload();
    write("three");
    await Promise.all([first, supervisor.reload(1000)]);
    mock.timers.tick(1000);
    await turns();
    assert.equal(calls.at(-2), "start two");
  } finally {
    mock.timers.reset();
  }
});

test("a way back that fails is tried again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { calls, broken, supervisor, write } = world();
    await supervisor.start();
    write("two");
    await supervisor.reload(1000);
    broken.add("look one");
    mock.timers.tick(1000);
    await turns();
    assert.equal(calls.at(-1), "abandon");
    broken.clear();
    mock.timers.tick(10_000);
    await turns();
    assert.equal(calls.at(-2), "start one");
    mock.timers.tick(100_000);
    await turns();
    assert.equal(calls.at(-2), "start one");
  } finally {
    mock.timers.reset();
  }
});

test("what can't be removed for another table goes on as it was", async () => {
  const { calls, broken, fatal, supervisor, write } = world();
  await supervisor.start();
  write("two", "elsewhere");
  broken.add("remove one");
  await assert.rejects(supervisor.reload(), /one can't be removed/);
  assert.deepEqual(calls.slice(-3), ["remove one", "start one", "abandon"]);
  assert.deepEqual(fatal, []);
});

test("what is asked during a reload is asked of the instance that it leaves", async () => {
  const { supervisor, write } = world();
  await supervisor.start();
  const former = supervisor.current;
  write("two");
  const reload = supervisor.reload();
  const asked = await supervisor.ask((instance) => instance);
  await reload;
  assert.equal(asked, supervisor.current);
  assert.notEqual(asked, former);
});
