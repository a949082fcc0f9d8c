import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { epochs } from "../../../src/plan/gate-of.ts";
import {
  configuration,
  dialled,
  known,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";

type Peers = Parameters<typeof tunnel>[1];
const token = (length: number) =>
  ({ kind: "token", token: new Secret(Buffer.alloc(length, 65)) }) as const;

function gateTunnel(peers: Peers, over: Parameters<typeof configuration>[1] = {}) {
  const config = configuration([tunnel("t", peers)], over);
  const [only] = desiredState(config, situation(config)).gate.tunnels;
  assert.ok(only !== undefined);
  return only;
}

test("authentications: one entry a length, in order, timed only where every key's time counts", () => {
  assert.deepEqual(gateTunnel([peer("key")]).authentications, [{ payload: 73, timed: true }]);
  assert.deepEqual(gateTunnel([peer("a"), peer("b", { replay: "off" })]).authentications, [
    { payload: 73, timed: false },
  ]);
  assert.deepEqual(
    gateTunnel([peer("a", { replay: "off" }), peer("b")]).authentications,
    [{ payload: 73, timed: false }],
    "in whatever order",
  );
  assert.deepEqual(
    gateTunnel([peer("a"), peer("b", { proof: token(73) })]).authentications,
    [{ payload: 73, timed: false }],
    "a token as long as a key's proof has no time in it",
  );
  const mixed = [peer("k"), peer("t", { proof: token(9) }), peer("n", { proof: { kind: "none" } })];
  assert.deepEqual(gateTunnel(mixed).authentications, [
    { payload: 0, timed: false },
    { payload: 9, timed: false },
    { payload: 73, timed: true },
  ]);
});

test("longer proofs: where a key is waited for, timed only where every key's time counts", () => {
  const longer = { least: 74, most: 168 };
  assert.deepEqual(gateTunnel([peer("k")]).longer, { ...longer, timed: true });
  const some = [peer("k"), peer("o", { replay: "off" }), peer("t", { proof: token(100) })];
  assert.deepEqual(gateTunnel(some).longer, { ...longer, timed: false });
  assert.equal(gateTunnel([peer("t", { proof: token(73) })]).longer, undefined);
  assert.equal(gateTunnel([dialled("d", { proof: peer("k").proof })]).longer, undefined);
});

test("replies: as long as what a dialled peer's answer can be, each once", () => {
  const identity = { kind: "key", seed: new Secret(Buffer.alloc(32)) } as const;
  const { proof } = peer("k");
  const replies = (...peers: Peers) => gateTunnel(peers).replies;
  assert.deepEqual(replies(dialled("d")), ["a token".length]);
  assert.deepEqual(replies(dialled("d", { identity })), [73]);
  assert.deepEqual(replies(dialled("a"), dialled("b", { identity }), dialled("c")), [7, 73]);
  assert.deepEqual(replies(dialled("d", { proof })), [73], "signed by its publicKey");
  assert.deepEqual(replies(dialled("d", { identity: { kind: "none" } })), []);
  assert.deepEqual(replies(peer("w", { identity })), []);
});

test("nobody waited for: no authentication is let in", () => {
  assert.deepEqual(gateTunnel([dialled("hub")]).authentications, []);
  const pinned = { role: "static", proof: { kind: "none" } } as const;
  const authentications = (pinAddress: boolean, pinPort: boolean, replyOnAuth = false) =>
    gateTunnel([peer("s", { ...pinned, pinAddress, pinPort, replyOnAuth })]).authentications;
  assert.deepEqual(authentications(true, true), []);
  assert.deepEqual(authentications(true, true, true), [{ payload: 0, timed: false }]);
  assert.deepEqual(authentications(true, false), [{ payload: 0, timed: false }]);
  assert.deepEqual(authentications(false, true), [{ payload: 0, timed: false }]);
});

test("conntrack is left out where somebody is waited for, unless said otherwise", () => {
  assert.equal(gateTunnel([peer("w")]).conntrack, "bypass");
  assert.equal(gateTunnel([dialled("d")]).conntrack, "track");
  assert.equal(gateTunnel([dialled("d"), peer("w")]).conntrack, "bypass");
  assert.equal(gateTunnel([peer("w")], { conntrack: "track" }).conntrack, "track");
  assert.equal(gateTunnel([dialled("d")], { conntrack: "bypass" }).conntrack, "bypass");
});

test("epochs: one value in the middle of a step, two around its edge", () => {
  const edge = 27_466 * 65_536;
  assert.deepEqual(epochs(edge + 30_000, 300), [27_466]);
  assert.deepEqual(epochs(edge - 301, 300), [27_465]);
  assert.deepEqual(epochs(edge - 300, 300), [27_465, 27_466]);
  assert.deepEqual(epochs(edge, 300), [27_465, 27_466]);
  assert.deepEqual(epochs(edge + 299.9, 300), [27_465, 27_466]);
  assert.deepEqual(epochs(edge + 300, 300), [27_466]);
  assert.deepEqual(epochs(edge, 0), [27_466]);
});

test("epochs: a host whose clock starts in 1970 has no time below 0", () => {
  assert.deepEqual(epochs(10, 300), [0]);
});

test("the widest skew of all who are waited for decides", () => {
  const edge = 27_466 * 65_536;
  const config = configuration([
    tunnel("a", [peer("p", { maxClockSkew: 1000 })]),
    tunnel("b", [peer("p", { maxClockSkew: 600_000 }), dialled("q", { maxClockSkew: 9e9 })]),
  ]);
  const gate = (now: number) => desiredState(config, situation(config, {}, { now })).gate;
  assert.deepEqual(gate(edge - 599).epochs, [27_465, 27_466]);
  assert.deepEqual(gate(edge - 601).epochs, [27_465]);
});

test("300,000 peers are no problem for the stack", () => {
  const peers = Array.from({ length: 300_000 }, (_, i) => peer(`p${i}`));
  assert.equal(gateTunnel(peers).peers.length, 300_000);
});

test("peers carry endpoint, inner sources and time; without allowedIPs any source", () => {
  const config = configuration([
    tunnel("t", [
      peer("a", { allowedIPs: [prefix("172.28.0.2/32")], authLifetime: 60_000 }),
      peer("b"),
    ]),
  ]);
  const endpoints = { "t/a": known("198.51.100.2:40001", 5000) };
  const [a, b] = desiredState(config, situation(config, endpoints)).gate.tunnels[0]?.peers ?? [];
  assert.ok(a !== undefined && b !== undefined);
  assert.deepEqual(a.endpoint, { address: "198.51.100.2", port: 40_001 });
  assert.deepEqual(a.inner, [{ address: "172.28.0.2", length: 32 }]);
  assert.equal(a.lifetime, 60_000);
  assert.equal(a.remaining, 5000);
  assert.equal(b.endpoint, undefined);
  assert.deepEqual(b.inner, [{ address: "0.0.0.0", length: 0 }]);
});
