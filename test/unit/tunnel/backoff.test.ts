import assert from "node:assert/strict";
import { test } from "node:test";
import { nextPause } from "../../../src/tunnel/backoff.ts";
import { Budget } from "../../../src/tunnel/budget.ts";

const asked = (unanswered: number, keepalive = 25_000, chance = 0) =>
  nextPause({ unanswered, answered: false, keepalive, missed: false }, chance);

test("unanswered: a second and a half, then doubled up to the keepalive", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) => asked(n)),
    [1500, 1500, 3000, 6000, 12_000, 24_000, 25_000, 25_000],
  );
  assert.equal(asked(1_000_000), 25_000);
  assert.equal(asked(1_000_000, 0), 25_000, "without a keepalive it is asked again all the same");
});

test("an hour's keepalive is no reason to keep somebody waiting that long", () => {
  const pause = (missed: boolean) =>
    nextPause({ unanswered: 50, answered: false, keepalive: 3_600_000, missed }, 0);
  assert.deepEqual([pause(false), pause(true)], [3_600_000, 25_000]);
});

test("answered: the keepalive, or nothing by time alone", () => {
  const pause = (keepalive: number) =>
    nextPause({ unanswered: 3, answered: true, keepalive, missed: true }, 0);
  assert.equal(pause(27_000), 27_000);
  assert.equal(pause(0), undefined);
});

test("chance shortens, by a tenth at most, and never lengthens", () => {
  for (const chance of [0, 0.001, 0.3, 0.999_999]) {
    for (const keepalive of [1, 500, 1000, 27_000, 3_600_000]) {
      const pause =
        nextPause({ unanswered: 0, answered: true, keepalive, missed: false }, chance) ?? 0;
      assert.ok(
        pause <= keepalive && pause >= Math.floor(keepalive * 0.9),
        `${keepalive}: ${pause}`,
      );
      for (const unanswered of [0, 1, 5, 50])
        assert.ok((asked(unanswered, keepalive, chance) ?? Infinity) <= Math.max(keepalive, 1));
    }
  }
});

test("a budget: so many at once, so many a second", () => {
  const budget = new Budget(2, 3, 0);
  const spend = (now: number, tries = 10) =>
    Array.from({ length: tries }, () => budget.spend(now)).filter(Boolean).length;
  assert.equal(spend(0), 3);
  assert.equal(spend(499), 0);
  assert.equal(spend(500), 1);
  assert.equal(spend(1500), 2);
  assert.equal(spend(1_000_000), 3, "never more than the most");
});

test("a budget outlives clocks that jump", () => {
  const budget = new Budget(1, 1, 1_000_000);
  assert.equal(budget.spend(1_000_000), true);
  assert.equal(budget.spend(0), false, "back: nothing is won");
  assert.equal(budget.spend(1000), true, "and from there it goes on");
  assert.equal(budget.spend(1e15), true);
  assert.equal(budget.spend(1e15), false);
});
