import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzNetlink } from "../../fuzz/netlink.ts";

test("decoders and connection on random and mutated datagrams", async () => {
  const { decoded, malformed } = await fuzzNetlink(20_000, 1);
  assert.ok(decoded > 5_000, `only ${decoded} decoded`);
  assert.ok(malformed > 2_000, `only ${malformed} malformed`);
});
