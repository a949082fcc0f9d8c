import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzAuthentication } from "../../fuzz/authentication.ts";

it("of random, mutated and repeated packets none gets in but what a key has signed", async () => {
  const { proven, refused, answers } = await fuzzAuthentication(5000, 1);
  assert.ok(proven > 100 && refused > 2000 && answers > 5, `${proven}, ${refused}, ${answers}`);
});
