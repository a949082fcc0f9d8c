import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzState } from "../../fuzz/state.ts";

it("no state file, however damaged, reopens a replay or locks anybody out", () => {
  const { foreign, damaged, whole, started } = fuzzState(10_000, 1);
  assert.ok(foreign > 1000 && damaged > 1000 && whole > 50, `${foreign}, ${damaged}, ${whole}`);
  assert.ok(started > 10);
});
