/** What two keys agree on, as PyNaCl reckons it, and that it is nobody else's. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { loadSignatures } from "../../../src/wire/signatures.ts";

const signatures = await loadSignatures();
const [one, other] = [1, 2].map((byte) => {
  const seed = Buffer.alloc(32, byte);
  return { seed, publicKey: signatures.publicKey(seed) };
});
assert.ok(one && other);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** Blake2b is libsodium's generic hash. */
const script = `
import sys, hashlib, nacl.bindings as b
public, key = b.crypto_sign_seed_keypair(bytes.fromhex(sys.argv[1]))
other = bytes.fromhex(sys.argv[2])
own = b.crypto_sign_ed25519_sk_to_curve25519(key)
shared = b.crypto_scalarmult(own, b.crypto_sign_ed25519_pk_to_curve25519(other))
both = b"".join(sorted([public, other]))
print(hashlib.blake2b(both + b"ipipoud pair 1", digest_size=32, key=shared).hexdigest())
`;

test("both sides come to the same, which is PyNaCl's", () => {
  const here = hex(signatures.agree(one.seed, other.publicKey));
  assert.equal(hex(signatures.agree(other.seed, one.publicKey)), here);
  const args = ["-c", script, hex(one.seed), hex(other.publicKey)];
  const { stdout, stderr } = spawnSync("/usr/bin/python3", args, { encoding: "utf8" });
  assert.equal(stdout.trim(), here, stderr);
  assert.notEqual(hex(signatures.agree(one.seed, one.publicKey)), here);
});

test("what is no key agrees on nothing", () => {
  const small = Buffer.alloc(32);
  small[0] = 1;
  for (const bytes of [small, Buffer.alloc(32), Buffer.alloc(32, 0xff), Buffer.alloc(31)]) {
    assert.equal(signatures.agree(one.seed, bytes), undefined);
  }
});
