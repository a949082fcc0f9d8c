import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { halfSipHash, TokenIndex } from "../../../src/tunnel/token-index.ts";

test("the hash is the authors' HalfSipHash-2-4", () => {
  // The first lines of vectors_hsip32 in the reference code: key 0 to 7, input 0 to n - 1.
  const key = { k0: 0x03020100, k1: 0x07060504 };
  const expected = ["a9359f5b", "27475ab8", "fa62a603", "8afee704"];
  for (const [length, hex] of expected.entries()) {
    const hash = Buffer.alloc(4);
    hash.writeInt32LE(
      halfSipHash(
        Uint8Array.from({ length }, (_, i) => i),
        key,
      ),
    );
    assert.equal(hash.toString("hex"), hex);
  }
});

test("a token is found by all its bytes and by nothing less", () => {
  const index = new TokenIndex<number>();
  const tokens = Array.from({ length: 1000 }, (_, i) => Buffer.from(`token ${i}`));
  for (const [i, token] of tokens.entries()) index.set(new Secret(token), i);
  for (const [i, token] of tokens.entries()) assert.equal(index.get(Buffer.from(token)), i);
  for (const other of ["", "token", "token 1000", "token 7 ", "Token 7"]) {
    assert.equal(index.get(Buffer.from(other)), undefined, other);
  }
  assert.equal(index.isEmpty, false);
});

test("tokens whose hashes are equal are told apart", () => {
  const key = { k0: 1, k1: 2 };
  const index = new TokenIndex<string>(key);
  // Found by trying: 2^16 tokens have about one pair in half of all keys, so take more.
  const byHash = new Map<number, Buffer>();
  for (let i = 0; ; i++) {
    const token = Buffer.from(`t${i}`);
    const hash = halfSipHash(token, key);
    const other = byHash.get(hash);
    byHash.set(hash, token);
    if (other === undefined) continue;
    index.set(new Secret(token), "one");
    index.set(new Secret(other), "other");
    assert.equal(index.get(token), "one");
    assert.equal(index.get(other), "other");
    break;
  }
});
