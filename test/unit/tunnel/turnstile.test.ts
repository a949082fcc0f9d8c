import assert from "node:assert/strict";
import { test } from "node:test";
import { Turnstile } from "../../../src/tunnel/turnstile.ts";
import { turns } from "../../support/tunnel.ts";

test("two at a time, in order, and a failure makes room like any other end", async () => {
  const turnstile = new Turnstile(2);
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const results = Array.from({ length: 4 }, (_, i) =>
    turnstile.pass(() => {
      begun.push(i);
      return new Promise<number>((resolve, reject) => {
        ends[i] = (error) => (error === undefined ? resolve(i) : reject(error));
      });
    }),
  );
  await turns();
  assert.deepEqual(begun, [0, 1]);
  const failed = assert.rejects(results[0] ?? assert.fail(), /no such name/);
  ends[0]?.(new Error("no such name"));
  await failed;
  await turns();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const i of [1, 2]) ends[i]?.();
  await turns();
  ends[3]?.();
  assert.deepEqual(await Promise.all(results.slice(1)), [1, 2, 3]);
  assert.equal(await turnstile.pass(async () => 7), 7);
});
