import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAddon } from "../../../src/native/addon.ts";
import { fuzzQueue } from "../../fuzz/queue.ts";

test("random and mutated datagrams", () => {
  const { delivered, rejected, malformed } = fuzzQueue(loadAddon(), 5000, 1);
  assert.ok(delivered > 1000 && rejected > 1000 && malformed > 1000, "the fuzzer reaches all ends");
});
