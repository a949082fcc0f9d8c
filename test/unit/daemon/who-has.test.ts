import assert from "node:assert/strict";
import { test } from "node:test";
import { whoHasLately } from "../../../src/daemon/who-has.ts";

test("of a flood of changes by one process its name is looked up once", () => {
  let now = 0;
  const asked: number[] = [];
  const nameOf = whoHasLately(
    (port) => `process ${asked.push(port) && port}`,
    () => now,
  );
  for (let i = 0; i < 1000; i++) assert.equal(nameOf(7), "process 7");
  assert.equal(nameOf(8), "process 8");
  assert.deepEqual(asked, [7, 8]);
  now = 200;
  nameOf(8);
  assert.deepEqual(asked, [7, 8, 8], "another may have it by now");
});
