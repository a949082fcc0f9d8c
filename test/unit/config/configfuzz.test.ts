import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzConfig } from "../../fuzz/config.ts";

it("mutated configurations are taken or refused, and nothing else", () => {
  const { taken, refused } = fuzzConfig(1000, 1);
  assert.ok(taken > 10 && refused > 100, `${taken} taken, ${refused} refused`);
});
