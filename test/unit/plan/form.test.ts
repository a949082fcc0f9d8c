import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import { formOfPeer, formOfTunnel } from "../../../src/plan/form.ts";
import { at, peer, tunnel } from "../../support/configuration.ts";

const local = ipAddress("203.0.113.1");
const direct = tunnel("d", [peer("p")]);
const hub = tunnel("h", [peer("p"), peer("q")]);

test("one peer is direct, several are a hub", () => {
  assert.equal(formOfTunnel(tunnel("none", [])), "direct");
  assert.equal(formOfTunnel(direct), "direct");
  assert.equal(formOfTunnel(hub), "hub");
});

test("who comes to a free pair, or to its own, gets the tunnel's form", () => {
  const from = at("198.51.100.2:40001");
  const free = { form: "hub", holder: undefined };
  assert.deepEqual(
    formOfPeer(hub, "h/p", local, from, () => undefined),
    free,
  );
  assert.deepEqual(
    formOfPeer(hub, "h/p", local, from, () => "h/p"),
    free,
  );
  assert.equal(formOfPeer(direct, "d/p", local, from, () => undefined).form, "direct");
});

test("who comes to a pair that another holds would need translating, whatever its port", () => {
  const asked: string[] = [];
  const holderOf = (l: string, r: string) => {
    asked.push(`${l} ${r}`);
    return "h/q";
  };
  assert.deepEqual(formOfPeer(hub, "h/p", local, at("198.51.100.2:1"), holderOf), {
    form: "translated",
    holder: "h/q",
  });
  assert.deepEqual(asked, ["203.0.113.1 198.51.100.2"]);
});
