import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
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
import { headEntry, sealed, stampEntry } from "../../../src/wire/journal.ts";
import { judge, type ReplayMark, raised } from "../../../src/wire/replay.ts";

const NOW = 1_800_000_000;
const alice = Buffer.alloc(32, 1);
const bob = Buffer.alloc(32, 2);
const FROM = "198.51.100.2:40001";
const rules = { policy: "strict", maxClockSkew: 300_000 } as const;

function mkdirTemp(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-marks-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function world(t: TestContext) {
  const folder = mkdirTemp(t);
  const directory = join(folder, "state");
  const troubles: string[] = [];
  const open = (boot = "first", began = NOW, table = "ipipou"): Marks => {
    const clock = { now: began };
    const marks = new Marks({
      ...{ directory, table, boot },
      uptime: () => (clock.now - began) * 1000,
      now: () => clock.now * 1000,
      onTrouble: (reason) => troubles.push(reason),
    });
    clocks.set(marks, clock);
    return marks;
  };
  return { directory, file: join(directory, "replay-ipipou.jsonl"), troubles, open };
}

/** Goes with the packets. */
const clocks = new WeakMap<Marks, { now: number }>();

/** Whether a packet of this time is taken when it is that time; if so it is kept. */
function take(marks: Marks, key: Uint8Array, time: number, salt = "00"): boolean {
  return takeAt(marks, key, time, time, salt);
}

function takeAt(marks: Marks, key: Uint8Array, time: number, now: number, salt = "00"): boolean {
  const stamp = { time, salt };
  const clock = clocks.get(marks);
  if (clock !== undefined) clock.now = now;
  const mark = raised(marks.of(key), marks.floor(key, rules.maxClockSkew));
  const judgement = judge(mark, stamp, now * 1000, rules);
  if (judgement.verdict !== "fresh") return false;
  marks.keep(key, stamp, judgement.mark ?? assert.fail(), FROM);
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

test("whatever is damaged, missing or brought back from a copy reopens no replay", (t) => {
  const { open, file } = world(t);
  const copy = join(mkdirTemp(t), "copy");
  const first = open();
  take(first, alice, NOW + 1);
  first.close();
  cpSync(file, copy);
  const second = open("second", NOW + 2);
  for (let i = 3; i <= 6; i++) take(second, i % 2 === 0 ? alice : bob, NOW + i);
  second.close();
  const whole = readFileSync(file);
  const fresh = (state: Buffer | undefined, what: string): void => {
    rmSync(file, { force: true });
    if (state !== undefined) writeFileSync(file, state);
    const next = open("third", NOW + 10);
    for (let i = 3; i <= 6; i++) {
      const key = i % 2 === 0 ? alice : bob;
      assert.equal(take(next, key, NOW + i), false, `${what}: ${i}`);
    }
    assert.equal(take(next, alice, NOW + 10), true, `${what}: nobody is locked out`);
  };
  fresh(readFileSync(copy), "an older one");
  fresh(undefined, "none");
  const lines = whole.toString().split("\n");
  for (let i = 1; i < lines.length - 1; i++) {
    fresh(Buffer.from(lines.filter((_, at) => at !== i).join("\n")), `without line ${i}`);
  }
  for (let at = 0; at < whole.length; at += 7) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    fresh(changed, `byte ${at}`);
  }
});

test("a client whose clock is ahead is not let in twice where its line was lost", (t) => {
  const { open, file } = world(t);
  const first = open();
  const before = readFileSync(file).length;
  assert.equal(takeAt(first, alice, NOW + 95, NOW), true, "95 s ahead");
  // The power fails; what was only handed to the kernel is lost, but not what tells of the lead.
  const [head = "", lead = ""] = readFileSync(file, "utf8").split("\n");
  assert.match(lead, /"lead":100/);
  assert.equal(head.length + 1, before);
  writeFileSync(file, `${head}\n${lead}\n`);
  const next = open("second", NOW + 20);
  assert.equal(takeAt(next, alice, NOW + 95, NOW + 20), false);
  assert.equal(takeAt(next, alice, NOW + 95, NOW + 96), false, "nor later");
  assert.equal(takeAt(next, bob, NOW + 20, NOW + 20), true, "others do not wait for it");
  assert.equal(takeAt(next, alice, NOW + 121, NOW + 26), true, "nor does it for long");
  const third = open("second", NOW + 27);
  assert.equal(takeAt(third, alice, NOW + 95, NOW + 96), false, "nor by the next");
});

test("a client whose clock is ahead is let in again at once by who has lost nothing", (t) => {
  const { open } = world(t);
  const first = open();
  assert.equal(takeAt(first, alice, NOW + 5, NOW), true);
  assert.equal(takeAt(first, alice, NOW + 6, NOW + 1), true);
  assert.equal(takeAt(open("first", NOW + 2), alice, NOW + 7, NOW + 2), true);
});

test("where and when a key was proven is known after a restart", (t) => {
  const { open } = world(t);
  const first = open();
  take(first, alice, NOW + 1);
  take(first, alice, NOW + 2);
  const known = open("first", NOW + 9);
  assert.deepEqual(known.last(alice), { from: FROM, at: (NOW + 2) * 1000 });
  assert.equal(known.last(bob), undefined);
  assert.deepEqual(open("first", NOW + 9).last(alice), known.last(alice));
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
  // The limit falls between two lines, so that nothing else tells: each of them has as many bytes.
  const stamp = { time: NOW, salt: "00" };
  const last = { from: FROM, at: NOW * 1000 };
  const each = sealed([stampEntry("k".repeat(22), stamp, last)], "00000000").text.length;
  // The identity of the file is not known before, but it will have as many digits.
  const probe = openSync(join(mkdirTemp(t), "probe"), "w");
  const { ino, birthtimeNs } = fstatSync(probe, { bigint: true });
  closeSync(probe);
  const head = { boot: "", file: `${ino}/${birthtimeNs}`, floor: NOW - 1 };
  const free = 1024 - sealed([headEntry(head)], "").text.length;
  const boot = "b".repeat(((free % each) + each) % each);
  const { href } = new URL("../../../src/daemon/marks.js", import.meta.url);
  const program = `
    const { Marks } = await import(${JSON.stringify(href)});
    const now = () => ${NOW * 1000};
    const options = { directory: ${JSON.stringify(directory)}, table: "ipipou", boot: "${boot}" };
    const marks = new Marks({ ...options, now, uptime: () => 0, onTrouble: console.log });
    for (let i = 0; i < 40; i++) {
      const stamp = { time: ${NOW} + i, salt: "00" };
      marks.keep(Buffer.alloc(32, i), stamp, { floor: stamp.time - 1, seen: [stamp] }, "${FROM}");
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
  marks.keep(alice, { time: NOW + 9, salt: "00" }, mark(NOW + 9), FROM);
  marks.keep(alice, { time: NOW + 5, salt: "00" }, mark(NOW + 5), FROM);
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
