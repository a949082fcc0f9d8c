import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, type ReplayMark, type ReplayRules } from "../../../src/wire/replay.ts";

const now = 1_700_000_000_000;
const second = now / 1000;
const strict: ReplayRules = { policy: "strict", maxClockSkew: 300_000 };
const window: ReplayRules = { policy: "window", maxClockSkew: 300_000 };

/** Feeds packets one after the other; gives the verdicts and the last mark. */
function feed(rules: ReplayRules, packets: readonly [time: number, salt: string][]) {
  let mark: ReplayMark | undefined;
  const verdicts = packets.map(([time, salt]) => {
    const judgement = judge(mark, { time: second + time, salt }, now, rules);
    if (judgement.verdict === "fresh") mark = judgement.mark;
    return judgement.verdict;
  });
  return { verdicts, mark };
}

test("strict takes what is newer, or the same second with another salt", () => {
  const { verdicts, mark } = feed(strict, [
    [0, "a"],
    [0, "a"],
    [0, "b"],
    [0, "a"],
    [1, "a"],
    [0, "c"],
    [1, "a"],
  ]);
  assert.deepEqual(verdicts, [
    "fresh",
    "replayed",
    "fresh",
    "replayed",
    "fresh",
    "stale",
    "replayed",
  ]);
  assert.deepEqual(mark, { floor: second, seen: [{ time: second + 1, salt: "a" }] });
});

test("window takes each packet once, in any order inside the skew", () => {
  const { verdicts } = feed(window, [
    [0, "a"],
    [-200, "b"],
    [-100, "c"],
    [-200, "b"],
    [200, "d"],
    [-150, "e"],
    [0, "a"],
    [-100, "x"],
    [-99, "x"],
  ]);
  assert.deepEqual(verdicts, [
    "fresh",
    "fresh",
    "fresh",
    "replayed",
    "fresh",
    "stale",
    "replayed",
    "fresh",
    "fresh",
  ]);
});

test("off looks at no time, and remembers for the day when the policy is another one", () => {
  const off: ReplayRules = { policy: "off", maxClockSkew: 300_000 };
  let mark: ReplayMark | undefined;
  for (const time of [0, second, second - 10, second, 2 ** 40 - 1]) {
    const judgement = judge(mark, { time, salt: "a" }, now, off);
    assert.equal(judgement.verdict, "fresh");
    mark = judgement.verdict === "fresh" ? judgement.mark : assert.fail();
  }
  const then = (time: number, rules: ReplayRules): string =>
    judge(mark, { time, salt: "a" }, now, rules).verdict;
  for (const rules of [strict, window]) {
    assert.equal(then(second, rules), "replayed");
    assert.notEqual(then(second - 10, rules), "fresh");
    assert.equal(then(second + 1, rules), "fresh", "one from far ahead has locked nobody out");
  }
  const copy = judge(mark, { time: second, salt: "a" }, now, off);
  assert.deepEqual(copy, { verdict: "fresh", mark }, "nothing to be written");
});

test("clocks: both sides of the skew, with and without a mark", () => {
  for (const rules of [strict, window]) {
    for (const mark of [undefined, { floor: second - 100_000, seen: [] }]) {
      const verdict = (time: number) =>
        judge(mark, { time: second + time, salt: "a" }, now, rules).verdict;
      assert.equal(verdict(300), "fresh");
      assert.equal(verdict(301), "ahead");
      assert.equal(verdict(-300), "fresh");
      assert.equal(verdict(-301), "behind");
    }
  }
});

test("reasons speak of clocks and name one unit", () => {
  const reason = (time: number, mark?: ReplayMark) => {
    const judgement = judge(mark, { time, salt: "a" }, now, strict);
    return judgement.verdict === "fresh" ? "" : judgement.reason;
  };
  assert.match(reason(2_082_758_400), /clock is 12 years ahead of ours/);
  assert.match(
    reason(second - 7000),
    /117 min old: a clock is wrong \(NTP sets clocks\), or an old packet/,
  );
  assert.match(reason(second, { floor: second + 5, seen: [] }), /later packet was taken already/);
  assert.match(reason(second, { floor: second + 9999, seen: [] }), /ipipoud forget/);
});

test("one second holds 1024 packets, then it is full; the next second is open, and as wide", () => {
  for (const rules of [strict, window]) {
    const second = (time: number) =>
      Array.from({ length: 1025 }, (_, i): [number, string] => [time, `${i}`]);
    const { verdicts } = feed(rules, [...second(0), ...second(1), [2, "0"]]);
    const full = [...Array<string>(1024).fill("fresh"), "crowded"];
    assert.deepEqual(verdicts, [...full, ...full, "fresh"]);
  }
});

test("a window's memory is bounded, and what it forgets is closed", () => {
  const packets = Array.from({ length: 3000 }, (_, i): [number, string] => [
    Math.floor(i / 100),
    `${i}`,
  ]);
  const { mark } = feed(window, packets);
  // Whole seconds are forgotten: 20 of 100 packets fit into 2048.
  assert.ok(mark !== undefined && mark.seen.length <= 2048 && mark.seen.length > 1900);
  for (const [time, salt] of packets.filter((_, i) => i % 10 === 0)) {
    assert.notEqual(judge(mark, { time: second + time, salt }, now, window).verdict, "fresh");
  }
  const forgotten = { time: second + 1, salt: "not seen" };
  assert.equal(judge(mark, forgotten, now, window).verdict, "stale");
});

test("a mark survives JSON and a change of policy", () => {
  const { mark } = feed(window, [
    [0, "a"],
    [-5, "b"],
  ]);
  const kept = JSON.parse(JSON.stringify(mark)) as ReplayMark;
  assert.deepEqual(kept, mark);
  assert.equal(judge(kept, { time: second - 1, salt: "c" }, now, strict).verdict, "stale");
  assert.equal(judge(kept, { time: second, salt: "a" }, now, strict).verdict, "replayed");
  const next = judge(kept, { time: second, salt: "c" }, now, strict);
  assert.equal(next.verdict, "fresh");
  const after = next.verdict === "fresh" ? next.mark : undefined;
  assert.equal(judge(after, { time: second - 1, salt: "d" }, now, window).verdict, "stale");
});
