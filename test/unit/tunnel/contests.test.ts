import assert from "node:assert/strict";
import { test } from "node:test";
import { Contests } from "../../../src/tunnel/contests.ts";

test("five repairs of one object within a minute are a fight: said once, and slower from then on", () => {
  const contests = new Contests();
  const said = [0, 1, 2, 3, 4, 5].map((second) =>
    contests.repaired(["add a route"], second * 1000),
  );
  assert.deepEqual(said, [undefined, undefined, undefined, undefined, "add a route", undefined]);
  assert.equal(contests.wait(5000), 2000, "the second pause");
  assert.equal(contests.wait(6500), 500);
  let now = 5000;
  const pauses: number[] = [];
  for (let i = 0; i < 6; i++) {
    now += contests.wait(now);
    contests.repaired(["add a route"], now);
    pauses.push(contests.wait(now));
  }
  assert.deepEqual(pauses, [4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("it ends when the other one has given up, and begins anew", () => {
  const contests = new Contests();
  for (let i = 0; i < 5; i++) contests.repaired(["x"], i);
  assert.equal(contests.wait(4), 1000);
  assert.equal(contests.wait(4 + 61_000), 0);
  assert.equal(contests.repaired(["x"], 4 + 61_000), undefined);
  assert.equal(contests.wait(4 + 61_000), 0);
});

test("accidents are none: different objects, or seldom", () => {
  const contests = new Contests();
  for (let i = 0; i < 100; i++) assert.equal(contests.repaired([`x${i}`], i), undefined);
  for (let i = 0; i < 20; i++) assert.equal(contests.repaired(["y"], i * 20_000), undefined);
  assert.equal(contests.wait(400_000), 0);
});

test("a flushed ruleset of 100,000 elements, ten thousand times, is remembered in no more room than a small one", () => {
  const contests = new Contests();
  const words = Array.from({ length: 100_000 }, (_, i) => `element ${i}`);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) contests.repaired(words, i * 100);
  assert.ok(performance.now() - start < 5000);
});
