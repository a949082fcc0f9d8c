import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Proof } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import { type PayloadPattern, patternsFor, replyPatternsFor } from "../../../src/wire/patterns.ts";
import { buildKeyProof } from "../../../src/wire/protocol1.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";

const key: Proof = { kind: "key", publicKey: new Uint8Array(32) };
const token: Proof = { kind: "token", token: new Secret(Buffer.from("topsecret")) };

/** The addon's rule in three lines. */
function passes(payload: Buffer, patterns: readonly PayloadPattern[]): boolean {
  return patterns.some(
    ({ minLength, maxLength, tests }) =>
      payload.length >= minLength &&
      payload.length <= maxLength &&
      tests.every(({ offset, width, min, max }) => {
        const value = payload.readUIntBE(offset, width);
        return value >= min && value <= max;
      }),
  );
}

test("each kind gives one pattern, however many peers", () => {
  const patterns = patternsFor(10_000, [
    { proof: key, replay: "strict" },
    { proof: key, replay: "window" },
    { proof: token, replay: "strict" },
    { proof: { kind: "none" }, replay: "strict" },
    { proof: key, replay: "off" },
  ]);
  assert.equal(patterns.length, 4);
  assert.ok(patterns.every(({ port }) => port === 10_000));
  assert.ok(passes(Buffer.alloc(0), patterns));
  assert.ok(passes(Buffer.from("topsecret"), patterns));
  assert.ok(!passes(Buffer.from("topsecre"), patterns));
  assert.deepEqual(patternsFor(1, []), []);
});

test("answers: signed ones like proofs, others by length alone; none where we prove nothing", () => {
  const sent = (length: number) =>
    ({ kind: "token", token: new Secret(Buffer.alloc(length)) }) as const;
  const none: Proof = { kind: "none" };
  const patterns = replyPatternsFor(5000, [
    { proof: key, identity: sent(3), replay: "strict" },
    { proof: none, identity: sent(9), replay: "strict" },
    { proof: none, identity: sent(9), replay: "off" },
    { proof: none, identity: { kind: "none" }, replay: "strict" },
  ]);
  assert.deepEqual(
    patterns.map(({ port, minLength, maxLength, tests }) => [
      port,
      minLength,
      maxLength,
      tests.length,
    ]),
    [
      [5000, 73, 73, 2],
      [5000, 9, 9, 0],
    ],
  );
});

test("every signature passes", async () => {
  const signatures = await loadSignatures();
  const patterns = patternsFor(1, [{ proof: key, replay: "strict" }]);
  for (let i = 0; i < 1000; i++) {
    const parts = { seed: randomBytes(32), secret: Buffer.alloc(0), salt: randomBytes(4) };
    for (const time of [i, 2_082_758_400, 2 ** 32 - 1]) {
      assert.ok(passes(buildKeyProof({ ...parts, time }, signatures), patterns));
    }
  }
});

test("of random bytes one in 4096 passes, with any time one in 16", () => {
  const timed = patternsFor(1, [{ proof: key, replay: "strict" }]);
  const untimed = patternsFor(1, [{ proof: key, replay: "off" }]);
  const junk = Array.from({ length: 20_000 }, () => randomBytes(73));
  assert.ok(junk.filter((payload) => passes(payload, timed)).length < 40);
  const loose = junk.filter((payload) => passes(payload, untimed)).length;
  assert.ok(loose > 1000 && loose < 1500, `${loose}`);
});
