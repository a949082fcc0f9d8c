import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { buildProof, type Expected, judgeProof } from "../../../src/wire/proof.ts";
import { loadSignatures, type Signatures } from "../../../src/wire/signatures.ts";

const signatures = await loadSignatures();
const now = 1_700_000_000_500;
const seed = randomBytes(32);
const secret = new Secret(Buffer.from("topsecret"));
const expected: Expected = {
  proof: { kind: "key", publicKey: signatures.publicKey(seed) },
  secret,
  replay: "strict",
  maxClockSkew: 300_000,
};
const identity = { kind: "key", seed: new Secret(seed) } as const;

function counting(): Signatures & { verifications: number } {
  const counter = {
    ...signatures,
    verifications: 0,
    verify(...parts: Parameters<Signatures["verify"]>) {
      counter.verifications++;
      return signatures.verify(...parts);
    },
  };
  return counter;
}

test("a fresh proof is taken once", () => {
  const payload = buildProof(identity, secret, now, randomBytes(4), signatures);
  const first = judgeProof(payload, expected, undefined, now, signatures, true);
  assert.equal(first.verdict, "proven");
  const mark = first.verdict === "proven" ? first.mark : undefined;
  const again = judgeProof(payload, expected, mark, now, signatures, true);
  assert.equal(again.verdict, "refused");
  assert.match(again.verdict === "refused" ? again.reason : "", /copy/);
});

test("a wrong key and a wrong secret are other peers, and leave no mark", () => {
  const payload = buildProof(identity, secret, now, randomBytes(4), signatures);
  const proof = { kind: "key", publicKey: signatures.publicKey(randomBytes(32)) } as const;
  const other = new Secret(Buffer.from("Topsecret"));
  const verdict = { verdict: "other", verified: true };
  assert.deepEqual(
    judgeProof(payload, { ...expected, proof }, undefined, now, signatures, true),
    verdict,
  );
  assert.deepEqual(
    judgeProof(payload, { ...expected, secret: other }, undefined, now, signatures, true),
    verdict,
  );
});

test("stale packets are verified only to explain them", () => {
  const payload = buildProof(identity, secret, now - 400_000, randomBytes(4), signatures);
  const counter = counting();
  assert.deepEqual(judgeProof(payload, expected, undefined, now, counter, false), {
    verdict: "other",
    verified: false,
  });
  assert.equal(counter.verifications, 0);
  assert.equal(judgeProof(payload, expected, undefined, now, counter, true).verdict, "refused");
  assert.equal(counter.verifications, 1);
});

test("1000 proofs of one client in a row, 4 each second, are all taken", () => {
  let mark: Parameters<typeof judgeProof>[2];
  for (let i = 0; i < 1000; i++) {
    const at = now + i * 250;
    const payload = buildProof(identity, secret, at, randomBytes(4), signatures);
    const outcome = judgeProof(payload, expected, mark, at, signatures, false);
    assert.equal(outcome.verdict, "proven", `${i}`);
    mark = outcome.verdict === "proven" ? outcome.mark : mark;
  }
});

test("tokens and the empty proof", () => {
  const token = { kind: "token", token: secret } as const;
  const salt = randomBytes(4);
  const sent = buildProof(token, new Secret(Buffer.of()), now, salt, signatures);
  assert.deepEqual(sent, Buffer.from("topsecret"));
  const judge = (payload: Uint8Array, proof: Expected["proof"]) =>
    judgeProof(payload, { ...expected, proof }, undefined, now, signatures, true).verdict;
  assert.equal(judge(sent, token), "proven");
  assert.equal(judge(Buffer.from("topsecreT"), token), "other");
  assert.equal(
    judge(buildProof({ kind: "none" }, secret, now, salt, signatures), { kind: "none" }),
    "proven",
  );
  assert.equal(judge(sent, { kind: "none" }), "other");
  assert.equal(judge(randomBytes(73), { kind: "none" }), "other");
});
