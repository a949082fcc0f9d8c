import assert from "node:assert/strict";
import { test } from "node:test";
import { knownLimit, rateLimit } from "../../../../src/apply/nftables/limits.ts";
import {
  inPeerChain,
  knownSet,
  peerChain,
  tunnelChain,
  tunnelIn,
  tunnelOf,
} from "../../../../src/apply/nftables/names.ts";

test("every interface name makes a name that nft can read, and comes back out of it", () => {
  for (const name of [
    "ipipou0",
    "wg-1.2_x",
    "a:b",
    "%41",
    "тест",
    "a@b",
    "-",
    "x y".replace(" ", "+"),
  ]) {
    const made = knownSet(name);
    assert.match(made, /^[a-z][A-Za-z0-9_./-]*$/);
    assert.equal(tunnelIn(made, knownSet), name);
    assert.equal(tunnelOf(made), name);
    assert.deepEqual(inPeerChain(peerChain(name, 12)), { tunnel: name, id: 12 });
    assert.equal(tunnelOf(peerChain(name, 12)), name);
  }
});

test("names of others", () => {
  assert.equal(tunnelIn("sources", knownSet), undefined);
  assert.equal(tunnelIn("known-x", tunnelChain), undefined);
  assert.equal(tunnelOf("prerouting"), null);
  assert.equal(inPeerChain("peer-x"), undefined);
  // Someone else's doing: no escape of ours.
  assert.equal(tunnelIn("known-a/zz", knownSet), "a/zz");
});

test("rates of less than one a second, and their bursts", () => {
  const { rate, unit, burst } = rateLimit(0.1, false);
  assert.deepEqual([rate, unit, burst], [6, 60, 5]);
  assert.deepEqual(rateLimit(1000, true).burst, 1000);
  assert.deepEqual(
    [rateLimit(1 / 86_400, false).rate, rateLimit(1 / 86_400, false).unit],
    [1, 86_400],
  );
  assert.deepEqual([rateLimit(1e-9, false).rate, rateLimit(1e-9, false).unit], [1, 86_400]);
  assert.equal(knownLimit(2).rate, 10);
  assert.deepEqual([knownLimit(500).rate, knownLimit(500).burst], [500, 1000]);
});
