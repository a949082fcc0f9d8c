import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  buildKeyProof,
  isToken,
  keyPayloadLength,
  longestKeyPayload,
  parseKeyProof,
  verifyKeyProof,
} from "../../../src/wire/protocol1.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";

interface Golden {
  readonly seed: string;
  readonly publicKey: string;
  readonly payloads: readonly { time: number; salt: string; secret: string; payload: string }[];
}

const goldenFolder = new URL("../../../../test/golden/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("protocol1.json", goldenFolder), "utf8")) as Golden;
const seed = Buffer.from(golden.seed, "base64");
const publicKey = Buffer.from(golden.publicKey, "base64");
const signatures = await loadSignatures();

test("the published seed has the published public key", () => {
  assert.deepEqual(Buffer.from(signatures.publicKey(seed)), publicKey);
});

test("payloads are PyNaCl's, byte for byte, and verify", () => {
  for (const { time, salt, secret, payload } of golden.payloads) {
    const bytes = Buffer.from(secret);
    const parts = { seed, secret: bytes, time, salt: Buffer.from(salt, "hex") };
    assert.equal(buildKeyProof(parts, signatures).toString("hex"), payload);
    const parsed = parseKeyProof(Buffer.from(payload, "hex"));
    assert.ok(parsed);
    assert.equal(parsed.time, time);
    assert.equal(parsed.salt, salt);
    assert.ok(verifyKeyProof(parsed, publicKey, bytes, signatures));
    assert.ok(!verifyKeyProof(parsed, publicKey, Buffer.from("another"), signatures));
    assert.ok(!verifyKeyProof(parsed, randomBytes(32), bytes, signatures));
  }
});

test("a change in any byte is no proof", () => {
  const payload = Buffer.from(golden.payloads[0]?.payload ?? "", "hex");
  const secret = Buffer.from(golden.payloads[0]?.secret ?? "");
  for (let i = 0; i < payload.length; i++) {
    const changed = Buffer.from(payload);
    changed[i] = (changed[i] ?? 0) ^ 1;
    const parsed = parseKeyProof(changed);
    assert.ok(!parsed || !verifyKeyProof(parsed, publicKey, secret, signatures), `byte ${i}`);
  }
});

test("longer payloads verify: everything after the signature is signed", () => {
  const signed = Buffer.concat([Buffer.from([0, 0x65, 0x53, 0xf1, 0]), randomBytes(99)]);
  const secret = Buffer.from("s");
  const signature = signatures.sign(Buffer.concat([signed, secret]), seed);
  const payload = Buffer.concat([signature, signed]);
  assert.equal(payload.length, longestKeyPayload);
  const parsed = parseKeyProof(payload);
  assert.ok(parsed && verifyKeyProof(parsed, publicKey, secret, signatures));
  assert.equal(parsed.salt, signed.subarray(5).toString("hex"));
});

test("what no signer makes is refused before any verification", () => {
  const payload = Buffer.from(golden.payloads[0]?.payload ?? "", "hex");
  assert.equal(parseKeyProof(payload.subarray(0, keyPayloadLength - 1)), undefined);
  assert.equal(parseKeyProof(Buffer.alloc(longestKeyPayload + 1)), undefined);
  assert.equal(parseKeyProof(Buffer.alloc(0)), undefined);
  // The group's order itself, and one below it, as the scalar.
  const order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
  payload.set(Buffer.from(order, "hex"), 32);
  assert.equal(parseKeyProof(payload), undefined);
  payload[32] = 0xec;
  assert.ok(parseKeyProof(payload));
  payload[63] = 0x11;
  assert.equal(parseKeyProof(payload), undefined);
});

test("times and salts that do not fit throw", () => {
  const parts = { seed, secret: Buffer.alloc(0), time: 2 ** 40 - 1, salt: randomBytes(4) };
  assert.equal(parseKeyProof(buildKeyProof(parts, signatures))?.time, 2 ** 40 - 1);
  assert.throws(() => buildKeyProof({ ...parts, time: 2 ** 40 }, signatures), RangeError);
  assert.throws(() => buildKeyProof({ ...parts, salt: randomBytes(5) }, signatures), RangeError);
});

test("verify survives wrong lengths", () => {
  assert.equal(signatures.verify(Buffer.alloc(63), Buffer.alloc(1), publicKey), false);
  assert.equal(signatures.verify(Buffer.alloc(64), Buffer.alloc(1), Buffer.alloc(31)), false);
});

test("a token is compared byte for byte", () => {
  assert.ok(isToken(Buffer.from("topsecret"), Buffer.from("topsecret")));
  assert.ok(!isToken(Buffer.from("topsecreT"), Buffer.from("topsecret")));
  assert.ok(!isToken(Buffer.from("topsecret\n"), Buffer.from("topsecret")));
});

test("PyNaCl takes ours, we take PyNaCl's, and both make the same bytes", () => {
  const cases = Array.from({ length: 200 }, (_, i) => {
    const random = createHash("sha256").update(`case ${i}`).digest();
    return {
      seed: random,
      time: random.readUInt32BE(4),
      salt: random.subarray(8, 12),
      secret: random.subarray(0, i % 33),
    };
  });
  const ours = cases.map((parts) => buildKeyProof(parts, signatures));
  const asks = cases.flatMap(({ seed, time, salt, secret }, i) => {
    const hex = { seed: seed.toString("hex"), salt: salt.toString("hex") };
    const publicKey = Buffer.from(signatures.publicKey(seed)).toString("hex");
    const verify = { payload: ours[i]?.toString("hex"), publicKey, secret: secret.toString("hex") };
    return [
      { do: "build", ...hex, time, secret: verify.secret },
      { do: "verify", ...verify },
      { do: "verify", ...verify, secret: `${verify.secret}00` },
    ];
  });
  const judge = new URL("protocol1.py", goldenFolder).pathname;
  const run = spawnSync("/usr/bin/python3", [judge], {
    input: asks.map((ask) => JSON.stringify(ask)).join("\n"),
    encoding: "utf8",
  });
  assert.equal(run.status, 0, `needs the package python3-nacl: ${run.stderr}`);
  const answers = run.stdout.trim().split("\n");
  cases.forEach((parts, i) => {
    const [built, accepted, refused] = answers.slice(i * 3).map((line) => JSON.parse(line));
    assert.equal(built.payload, ours[i]?.toString("hex"));
    assert.deepEqual([accepted, refused], [{ ok: true }, { ok: false }]);
    const parsed = parseKeyProof(Buffer.from(built.payload, "hex"));
    const key = Buffer.from(built.publicKey, "hex");
    assert.ok(parsed && verifyKeyProof(parsed, key, parts.secret, signatures));
  });
});
