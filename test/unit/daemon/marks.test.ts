import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Marks } from "../../../src/daemon/marks.ts";
import { firstLine, stampLine } from "../../../src/wire/journal.ts";
import { judge, type ReplayMark, raised } from "../../../src/wire/replay.ts";

const NOW = 1_800_000_000;
const alice = Buffer.alloc(32, 1);
const bob = Buffer.alloc(32, 2);
const rules = { policy: "strict", maxClockSkew: 300_000 } as const;

function world(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-marks-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const directory = join(folder, "state");
  const troubles: string[] = [];
  const open = (boot = "first", began = NOW, table = "ipipou"): Marks =>
    new Marks({
      ...{ directory, table, boot, uptime: () => 0, now: () => began * 1000 },
      onTrouble: (reason) => troubles.push(reason),
    });
  return { directory, file: join(directory, "replay-ipipou.jsonl"), troubles, open };
}

/** Whether a packet of this time is taken; if so it is kept. */
function take(marks: Marks, key: Uint8Array, time: number, salt = "00"): boolean {
  const stamp = { time, salt };
  const mark = raised(marks.of(key), marks.floor(rules.maxClockSkew));
  const judgement = judge(mark, stamp, time * 1000, rules);
  if (judgement.verdict !== "fresh") return false;
  marks.keep(key, stamp, judgement.mark ?? assert.fail());
  return true;
}

test("what was taken is not taken again: killed, stopped, after a reboot", (t) => {
  const { open, troubles, file } = world(t);
  const first = open();
  assert.equal(take(first, alice, NOW + 1), true);
  assert.equal(take(first, alice, NOW + 1), false);
  const killed = open("first", NOW + 2);
  assert.equal(take(killed, alice, NOW + 1), false);
  assert.equal(take(killed, alice, NOW + 1, "01"), true, "another packet of that second");
  assert.equal(take(killed, bob, NOW - 200), false, "before the first start: nobody knows");
  assert.equal(take(killed, bob, NOW), true);
  killed.close();
  const stopped = open("second", NOW + 100);
  assert.equal(take(stopped, bob, NOW), false);
  assert.equal(take(stopped, bob, NOW + 50), true, "a clean stop forgets nothing");
  const failed = open("third", NOW + 200);
  assert.equal(take(failed, bob, NOW + 150), false, "the power failed: it may have been taken");
  assert.equal(take(failed, bob, NOW + 200), true);
  const again = open("third", NOW + 201);
  assert.equal(take(again, alice, NOW + 150), false, "and that is not forgotten by a kill");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(troubles, []);
});

test("wherever the file ends, no packet is taken twice", (t) => {
  const { open, file } = world(t);
  const first = open();
  for (let i = 1; i <= 5; i++) take(first, i % 2 === 0 ? alice : bob, NOW + i);
  first.close();
  const whole = readFileSync(file);
  for (let length = 0; length <= whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length));
    const next = open("second", NOW + 10);
    for (let i = 1; i <= 5; i++) {
      assert.equal(take(next, i % 2 === 0 ? alice : bob, NOW + i), false, `${length}: ${i}`);
    }
  }
});

test("what is no journal of ours is put aside", (t) => {
  const { open, file, troubles } = world(t);
  open().close();
  writeFileSync(file, "dear diary\n");
  const next = open("first", NOW + 5);
  assert.match(troubles.join(), /holds no replay marks of this version: it is put aside/);
  assert.equal(readFileSync(`${file}.old`, "utf8"), "dear diary\n");
  assert.equal(take(next, alice, NOW + 3), false);
  assert.equal(take(next, alice, NOW + 5), true);
});

test("a disk that takes nothing is told once, and the daemon goes on", (t) => {
  const { open, directory, troubles } = world(t);
  writeFileSync(directory, "a file where the folder should be");
  const marks = open();
  assert.equal(take(marks, alice, NOW + 1), true);
  assert.equal(take(marks, alice, NOW + 1), false);
  assert.equal(troubles.length, 1);
  rmSync(directory);
  assert.equal(take(marks, alice, NOW + 2), true);
  assert.equal(existsSync(directory), true, "mended as soon as it can be");
  assert.equal(take(open("first", NOW + 3), alice, NOW + 1), false);
});

test("the file stays small, and forgetting is kept too", (t) => {
  const { open, file, directory } = world(t);
  const marks = open();
  for (let i = 0; i < 40_000; i++) take(marks, alice, NOW + i);
  assert.ok(statSync(file).size < 1.2e6);
  assert.equal(take(open(), alice, NOW + 39_999), false);
  const other = open();
  take(other, bob, NOW + 100_000);
  other.forget(bob);
  assert.equal(take(open(), bob, NOW + 1), true);
  chmodSync(directory, 0o700);
  truncateSync(file, 0);
  assert.equal(take(open("first", NOW), alice, NOW - 100), false);
});

test("where the disk is full the file says that lines are missing", (t) => {
  const { open, file, directory } = world(t);
  // The limit falls between two lines, so that nothing else tells.
  const each = stampLine("k".repeat(22), { time: NOW, salt: "00" }).length;
  const boot = "b".repeat((((1024 - firstLine("", NOW - 1).length) % each) + each) % each);
  const { href } = new URL("../../../src/daemon/marks.js", import.meta.url);
  const program = `
    const { Marks } = await import(${JSON.stringify(href)});
    const now = () => ${NOW * 1000};
    const options = { directory: ${JSON.stringify(directory)}, table: "ipipou", boot: "${boot}" };
    const marks = new Marks({ ...options, now, uptime: () => 0, onTrouble: console.log });
    for (let i = 0; i < 40; i++) {
      const stamp = { time: ${NOW} + i, salt: "00" };
      marks.keep(Buffer.alloc(32, i), stamp, { floor: stamp.time - 1, seen: [stamp] });
    }`;
  const run = [
    "-c",
    'ulimit -f 1; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    program,
  ];
  const { stdout, stderr } = spawnSync("bash", run, { encoding: "utf8" });
  assert.match(stdout, /can't be written \(EFBIG\)/, stderr);
  assert.ok(statSync(file).size <= 1024);
  const next = open(boot, NOW + 60);
  for (let i = 0; i < 40; i++)
    assert.equal(take(next, Buffer.alloc(32, i), NOW + i), false, `${i}`);
});

/** Marks by a clock that can be set, over which time passes as well. */
function clocked(t: TestContext) {
  const { directory } = world(t);
  const clock = { wall: 0, uptime: 0 };
  const marks = (known: readonly [Uint8Array, ReplayMark][] = [], boot = "first"): Marks =>
    new Marks({
      ...{ directory, table: "ipipou", boot, known },
      now: () => clock.wall * 1000,
      uptime: () => clock.uptime * 1000,
      onTrouble: (reason) => assert.fail(reason),
    });
  return { clock, marks };
}

test("a clock that was far ahead at the start locks nobody out, and one far behind lets nobody in", (t) => {
  const { clock, marks } = clocked(t);
  clock.wall = NOW + 100_000;
  const first = marks();
  assert.equal(take(first, alice, NOW), false);
  Object.assign(clock, { wall: NOW + 10, uptime: 10 });
  assert.equal(take(first, alice, NOW - 2), false, "signed before the start, by today's clock");
  assert.equal(take(first, alice, NOW + 5), true);
  clock.uptime = 0;
  assert.equal(take(marks(), bob, NOW + 10), true, "nor after a restart");
  Object.assign(clock, { wall: 5, uptime: 5 });
  const early = marks([], "second");
  Object.assign(clock, { wall: NOW + 100, uptime: 20 });
  assert.equal(take(early, bob, NOW + 70), false);
  assert.equal(take(early, bob, NOW + 90), true);
});

test("what is dropped because it is old is not taken when the clock was wrong", (t) => {
  const { clock, marks } = clocked(t);
  clock.wall = NOW;
  const first = marks();
  take(first, alice, NOW + 1);
  first.close();
  clock.wall = NOW + 1e8;
  marks().close();
  clock.wall = NOW + 5;
  assert.equal(take(marks(), alice, NOW + 1), false);
});

test("two marks of one key count both", (t) => {
  const { open, file } = world(t);
  const marks = open();
  marks.keep(alice, { time: NOW + 9, salt: "00" }, mark(NOW + 9));
  marks.keep(alice, { time: NOW + 5, salt: "00" }, mark(NOW + 5));
  marks.close();
  open().close();
  assert.match(readFileSync(file, "utf8"), new RegExp(`${NOW + 9}`));
  assert.equal(take(open(), alice, NOW + 9), false);
});

test("what the instance before remembered is kept, wherever its file was", (t) => {
  const { clock, marks } = clocked(t);
  clock.wall = NOW;
  marks([[alice, mark(NOW + 100)]]);
  const killed = marks();
  assert.equal(take(killed, alice, NOW + 100), false);
  assert.equal(take(killed, bob, NOW + 100), true);
});

test("two that write one file lose nothing, and say so once", (t) => {
  const { open, troubles } = world(t);
  const [one, two] = [open(), open()];
  for (let i = 1; i <= 4; i++) assert.equal(take(i % 2 === 0 ? one : two, alice, NOW + i), true);
  assert.equal(take(one, bob, NOW + 1), true);
  assert.equal(take(two, bob, NOW + 3), true);
  const next = open("first", NOW + 9);
  for (let i = 1; i <= 4; i++) assert.equal(take(next, alice, NOW + i), false);
  for (const i of [1, 3]) assert.equal(take(next, bob, NOW + i), false);
  assert.equal(troubles.length, 2);
  assert.match(troubles.join(), /another ipipoud writes it: give each its own/);
});

function mark(time: number): ReplayMark {
  return { floor: time - 1, seen: [{ time, salt: "00" }] };
}
