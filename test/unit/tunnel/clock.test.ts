import assert from "node:assert/strict";
import { test } from "node:test";
import { hasJumped, proofTime } from "../../../src/tunnel/clock.ts";

const start = { wall: 1_800_000_000_000, steady: 50_000 };
const later = (wall: number, steady: number) =>
  hasJumped(start, { wall: start.wall + wall, steady: start.steady + steady }, 1000);

test("a beat on time, a late one, a clock that NTP slews: no jump", () => {
  for (const [wall, steady] of [
    [1000, 1000],
    [4000, 4000],
    [1001, 1000],
    [2500, 1000],
    [0, 1000],
  ] as const) {
    assert.equal(later(wall, steady), false, `${wall} ${steady}`);
  }
});

test("a suspended machine, a clock that is set either way, a process that was stopped", () => {
  assert.equal(later(3_600_000, 1000), true, "suspended: the monotonic clock stands still");
  assert.equal(later(3000, 1000), true, "set forward");
  assert.equal(later(-3_600_000, 1000), true, "set back");
  assert.equal(later(60_000, 60_000), true, "stopped: both go on");
});

test("a proof never carries a time before the last one's, nor one that a server would not take", () => {
  const now = start.wall;
  assert.equal(proofTime(undefined, now), now);
  assert.equal(proofTime(now - 5000, now), now);
  assert.equal(proofTime(now + 5000, now), now + 5000, "the clock was set back a little");
  assert.equal(proofTime(now + 240_000, now), now + 240_000);
  assert.equal(proofTime(now + 3_600_000, now), now, "it had been an hour fast: now it is right");
});
