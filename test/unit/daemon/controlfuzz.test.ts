import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzControl } from "../../fuzz/control.ts";

it("mutated requests have one answer each, and do what they name or nothing", async () => {
  const sums = await fuzzControl(10_000, 1);
  assert.ok(sums.done > 500 && sums.refused > 2000 && sums.followed > 0, JSON.stringify(sums));
});
