import assert from "node:assert/strict";
import { test } from "node:test";
import { type Heard, type Listening, listen } from "../../../src/tunnel/traffic.ts";

/** One look a second: what was sent and received in it. Gives the seconds at which it was heard. */
function hear(seconds: number, at: (second: number) => [sent: number, received: number]) {
  let listening: Listening | undefined;
  let [sent, received] = [100, 100];
  const heard = new Map<Heard, number[]>();
  for (let second = 0; second < seconds; second++) {
    if (second > 0) {
      const [more, back] = at(second);
      sent += more;
      received += back;
    }
    const now = listen(listening, { sent, received }, second * 1000);
    listening = now.listening;
    heard.set(now.heard, [...(heard.get(now.heard) ?? []), second]);
  }
  return { silent: heard.get("silent") ?? [], news: heard.get("news") ?? [] };
}

test("a way that dies under traffic: noticed within 4 seconds of the last packet that came back", () => {
  const dead = 10;
  const { silent } = hear(14, (second) => [20, second < dead ? 20 : second === dead ? 5 : 0]);
  assert.deepEqual(silent, [13]);
});

test("traffic that begins on a dead way after an hour of silence", () => {
  const { silent } = hear(3610, (second) => [second >= 3600 ? 1 : 0, 0]);
  assert.deepEqual(silent.slice(0, 1), [3602]);
});

test("an idle tunnel, and one where all is answered in time: never", () => {
  assert.deepEqual(hear(3600, () => [0, 0]).silent, []);
  assert.deepEqual(hear(3600, () => [10, 10]).silent, []);
  assert.deepEqual(hear(3600, (second) => [1, second % 2]).silent, []);
});

test("the last packet of a connection, which nothing answers: never", () => {
  const { silent } = hear(3600, (second) => (second % 60 === 5 ? [7, 6] : [0, 0]));
  assert.deepEqual(silent, []);
  const { silent: lone } = hear(3600, (second) => (second % 60 === 6 ? [1, 0] : [0, 0]));
  assert.deepEqual(lone, []);
});

test("what is never answered: ten times in a row, then three times a minute", () => {
  const { silent } = hear(3600, () => [5, 0]);
  assert.deepEqual(silent.slice(0, 4), [3, 6, 9, 12]);
  assert.ok(silent.length <= 10 + 3 * 60, `${silent.length}`);
});

test("a stream that is answered every 5 seconds is suspected no more often than that", () => {
  const { silent } = hear(3600, (second) => [50, second % 5 === 0 ? 1 : 0]);
  assert.ok(silent.length <= 10 + 3 * 60, `${silent.length}`);
});

test("ten deaths within five minutes: each noticed as quickly as the first", () => {
  const { silent } = hear(300, (second) => [3, second % 30 >= 1 && second % 30 <= 4 ? 0 : 3]);
  assert.deepEqual(
    silent,
    Array.from({ length: 10 }, (_, i) => 30 * i + 3),
  );
});

test("counters that begin anew are no news and no silence", () => {
  let { listening } = listen(undefined, { sent: 50, received: 50 }, 0);
  for (const [at, sent] of [
    [1000, 60],
    [2000, 70],
  ] as const) {
    ({ listening } = listen(listening, { sent, received: 50 }, at));
  }
  const anew = listen(listening, { sent: 0, received: 0 }, 3000);
  assert.equal(anew.heard, "first");
  assert.equal(listen(anew.listening, { sent: 5, received: 0 }, 60_000).heard, "quiet");
});
