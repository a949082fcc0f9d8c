import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { inherit } from "../../../src/tunnel/inherit.ts";
import { Peers } from "../../../src/tunnel/peers.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";

type Over = NonNullable<Parameters<typeof peer>[1]>;

/** What `h/a` keeps when its configuration goes from one to the other. */
function kept(before: Over, after: Over) {
  const [former, next] = [before, after].map(
    (over) => new Peers(configuration([tunnel("h", [peer("a", over), peer("b")])])),
  );
  const old = former?.get("h/a");
  if (old === undefined || former === undefined || next === undefined) assert.fail();
  old.wanted = at("198.51.100.2:40001");
  old.mark = { floor: 7, seen: [] };
  old.lastAuthentication = 5;
  const strangers = inherit(next, former);
  const now = next.get("h/a") ?? assert.fail();
  return { mark: now.mark !== undefined, known: !strangers.has(now), at: now.lastAuthentication };
}

const key = (byte: number) => ({ kind: "key", publicKey: Buffer.alloc(32, byte) }) as const;
const token = (text: string) => ({ kind: "token", token: new Secret(Buffer.from(text)) }) as const;

test("a peer that proves the same stays who it was", () => {
  const all = { mark: true, known: true, at: 5 };
  assert.deepEqual(kept({ proof: key(1) }, { proof: key(1), keepalive: 3 }), all);
  assert.deepEqual(kept({ proof: token("x") }, { proof: token("x") }), all);
});

test("another secret must be proven, but takes no packet twice", () => {
  const one = new Secret(Buffer.from("one"));
  const two = new Secret(Buffer.from("two"));
  const now = kept({ proof: key(1), secret: one }, { proof: key(1), secret: two });
  assert.deepEqual(now, { mark: true, known: false, at: undefined });
});

test("another key or token, or a pin, is another peer", () => {
  const nothing = { mark: false, known: false, at: undefined };
  assert.deepEqual(kept({ proof: key(1) }, { proof: key(2) }), nothing);
  assert.deepEqual(kept({ proof: token("x") }, { proof: token("y") }), nothing);
  assert.deepEqual(kept({ proof: token("x") }, { proof: key(1) }), nothing);
  const endpoint = { host: "198.51.100.2", port: 1 };
  const pinned = { proof: key(1), pinAddress: true, endpoint };
  assert.equal(kept({ proof: key(1) }, pinned).known, false);
});

test("who had proven nothing takes nothing over", () => {
  const before = new Peers(configuration([tunnel("h", [peer("a"), peer("b")])]));
  const next = new Peers(configuration([tunnel("h", [peer("new"), peer("a"), peer("b")])]));
  const a = before.get("h/a") ?? assert.fail();
  a.wanted = at("198.51.100.2:40001");
  const strangers = [...inherit(next, before)].map(({ config }) => config.name);
  assert.deepEqual(strangers, ["new", "b"]);
});
