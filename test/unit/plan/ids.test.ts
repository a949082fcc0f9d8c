import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import {
  assignIds,
  hash,
  type Ids,
  idOf,
  idOfPeer,
  isPlaceholder,
  nexthopId,
  peerKey,
  placeholder,
} from "../../../src/plan/ids.ts";
import { configuration, peer, tunnel } from "../../support/configuration.ts";

const range = 0x0fff_fffd - 1;

const allOf = ({ byTunnel, byPeer }: Ids): number[] => [
  ...byTunnel.values(),
  ...[...byPeer.values()].map(({ id }) => id),
];

test("ids are the same for the same configuration, and one for each tunnel and peer", () => {
  const build = () =>
    configuration([tunnel("a", [peer("x"), peer("y")]), tunnel("b", [peer("x")])]);
  const ids = assignIds(build());
  assert.deepEqual(assignIds(build()), ids);
  assert.deepEqual([...ids.byTunnel.keys()], ["a", "b"]);
  assert.deepEqual(
    [...ids.byPeer.values()].map(({ key }) => key),
    ["a/x", "a/y", "b/x"],
  );
  assert.equal(new Set(allOf(ids)).size, 5);
});

test("another peer changes nobody's id, as long as none collide", () => {
  const x = peer("x");
  const before = assignIds(configuration([tunnel("a", [x])]));
  const after = assignIds(configuration([tunnel("a", [peer("w"), x])]));
  assert.equal(idOfPeer(after, x), idOfPeer(before, x));
});

test("names that collide get different ids", () => {
  const seen = new Map<number, string>();
  let pair: [string, string] | undefined;
  for (let i = 0; pair === undefined && i < 1_000_000; i++) {
    const name = `p${i}`;
    const { proof } = peer(name);
    const key = proof.kind === "key" ? ` ${Buffer.from(proof.publicKey).toString("hex")}` : "";
    const id = hash(`ipipou ${peerKey("t", name)}${key}`) % range;
    const other = seen.get(id);
    if (other !== undefined) pair = [other, name];
    seen.set(id, name);
  }
  assert.ok(pair !== undefined);
  const peers = pair.map((name) => peer(name));
  const ids = assignIds(configuration([tunnel("t", peers)]));
  const [first, second] = peers.map((one) => idOfPeer(ids, one));
  assert.equal(second, (first ?? 0) + 1);
});

test("100,000 peers have ids of their own, all inside 28 bits", () => {
  const peers = Array.from({ length: 100_000 }, (_, i) => peer(`laptop${i}`));
  const ids = allOf(assignIds(configuration([tunnel("hub", peers)])));
  assert.equal(new Set(ids).size, 100_001);
  assert.ok(ids.every((id) => id >= 1 && id <= 0x0fff_fffd));
});

test("a placeholder is the id in class E", () => {
  assert.equal(placeholder(1), "240.0.0.1");
  assert.equal(placeholder(0x0fff_fffd), "255.255.255.253");
  assert.equal(placeholder(0x0102_0304), "241.2.3.4");
  for (const id of [1, 0xff, 0x0fff_fffd]) assert.ok(isPlaceholder(placeholder(id)));
  for (const text of ["239.255.255.255", "203.0.113.1", "2001:db8::1", "::1", "fe80::1"]) {
    assert.ok(!isPlaceholder(ipAddress(text)), text);
  }
});

test("a nexthop's id is unsigned and has the upper four bits set", () => {
  assert.equal(nexthopId(1), 0xf000_0001);
  assert.equal(nexthopId(0x0fff_fffd), 0xffff_fffd);
});

test("what is not in the configuration has no id", () => {
  const ids = assignIds(configuration([tunnel("a", [])]));
  assert.throws(() => idOf(ids, "gone"), /"gone" has no id/);
  assert.throws(() => idOfPeer(ids, peer("gone")), /"gone" has no id/);
});

test("another public key is another peer, and so is another daemon's", () => {
  const key = (byte: number) => ({ kind: "key", publicKey: Buffer.alloc(32, byte) }) as const;
  const id = (byte: number, table: string) => {
    const x = peer("x", { proof: key(byte) });
    return idOfPeer(assignIds({ ...configuration([tunnel("t", [x])]), table }), x);
  };
  assert.equal(id(1, "ipipou"), id(1, "ipipou"));
  assert.notEqual(id(2, "ipipou"), id(1, "ipipou"));
  assert.notEqual(id(1, "other"), id(1, "ipipou"));
});
