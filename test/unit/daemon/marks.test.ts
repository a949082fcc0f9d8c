import assert from "node:assert/strict";
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
import { judge } from "../../../src/wire/replay.ts";

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
      ...{ directory, table, boot, began: began * 1000, now: () => began * 1000 },
      onTrouble: (reason) => troubles.push(reason),
    });
  return { directory, file: join(directory, "replay-ipipou.jsonl"), troubles, open };
}

/** Whether a packet of this time is taken; if so it is kept. */
function take(marks: Marks, key: Uint8Array, time: number, salt = "00"): boolean {
  const stamp = { time, salt };
  const judgement = judge(marks.of(key), stamp, time * 1000, rules);
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
