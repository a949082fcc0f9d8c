import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzDirectory } from "../../../fuzz/directory.ts";

it("mutated hosts files and answers are taken or refused, and nothing else", async () => {
  const sums = await fuzzDirectory(20_000, 1);
  assert.ok(sums.taken > 500 && sums.refused > 5000, JSON.stringify(sums));
  assert.ok(sums.fetched > 0 && sums["not fetched"] > 0, JSON.stringify(sums));
});
