import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import { chooseAddress, resolveEndpoint } from "../../../src/tunnel/resolver.ts";

const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ipAddress);
assert.ok(a && b && c);

test("a peer stays where it is while its name says so, whatever the order", () => {
  for (const found of [
    [a, b],
    [b, a],
  ])
    assert.equal(chooseAddress(found, { address: b, failing: false }), b);
});

test("a name that has moved, or is asked for the first time: its first address", () => {
  assert.equal(chooseAddress([c, a], { address: b, failing: false }), c);
  assert.equal(chooseAddress([c, a], { address: b, failing: true }), c);
  assert.equal(chooseAddress([b, a], undefined), b);
  assert.equal(chooseAddress([], undefined), undefined);
});

test("where an address fails every other one has its turn", () => {
  const turns: string[] = [];
  let address = b;
  for (let i = 0; i < 6; i++) {
    const shuffled = i % 2 === 0 ? [a, b, c] : [c, b, a];
    address = chooseAddress(shuffled, { address, failing: true }) ?? assert.fail();
    turns.push(address);
  }
  assert.deepEqual(turns, [c, a, b, c, a, b]);
  assert.equal(chooseAddress([b], { address: b, failing: true }), b);
});

test("an address needs no resolver; a name that nobody has is an error that says so", async () => {
  assert.deepEqual(await resolveEndpoint("192.0.2.7", 5), { address: "192.0.2.7", port: 5 });
  await assert.rejects(resolveEndpoint("no-such-name.invalid", 5), /no-such-name\.invalid/);
});
