import assert from "node:assert/strict";
import { test } from "node:test";
import { TrafficReader } from "../../../src/tunnel/traffic.ts";

test("many who ask at once share one look; a device that is not there has no traffic", async () => {
  let looks = 0;
  const reader = new TrafficReader(async () => {
    looks++;
    return new Map();
  });
  const answers = await Promise.all(["a", "b", "c"].map((device) => reader.of(device)));
  assert.equal(looks, 1);
  assert.deepEqual(answers[0], { received: 0n, sent: 0n });
});

test("a look that fails is not remembered for long", async () => {
  let looks = 0;
  const reader = new TrafficReader(async () => {
    if (looks++ === 0) throw new Error("EINTR");
    return new Map();
  });
  await assert.rejects(reader.of("a"), /EINTR/);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(await reader.of("a"), { received: 0n, sent: 0n });
});
