import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQueues, readQueues } from "../../../src/kernel/nfqueue-state.ts";

test("queues as the kernel lists them", () => {
  // Linux 6.12, with ours and somebody's.
  const text = `26992  15283     0 2  1500     3     4       17  1
    7  -4711    12 1     0     0     0        1  1
`;
  assert.deepEqual(parseQueues(text), [
    { number: 26_992, port: 15_283, waiting: 0, dropped: 7 },
    { number: 7, port: -4711, waiting: 12, dropped: 0 },
  ]);
  assert.deepEqual(parseQueues("nonsense\n\n"), []);
});

test("without the module nobody holds any", () => {
  assert.deepEqual(readQueues("/nowhere/nfnetlink_queue"), []);
});
