import assert from "node:assert/strict";
import { test } from "node:test";
import type { TunnelConfig } from "../../../src/config/model.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { formOfTunnel, translatedTunnels } from "../../../src/plan/form.ts";
import type { ForeignIpip } from "../../../src/plan/situation.ts";
import { listen, peer, tunnel, underlay } from "../../support/configuration.ts";

const A = "203.0.113.1";
const B = "203.0.113.2";

const direct = (name: string, address = A): TunnelConfig =>
  tunnel(name, [peer("p")], { listen: listen(address, 1) });
const hub = (name: string, address = A): TunnelConfig =>
  tunnel(name, [peer("p"), peer("q")], { listen: listen(address, 2) });

function translated(tunnels: readonly TunnelConfig[], foreignIpip: readonly ForeignIpip[] = []) {
  const underlays = new Map(
    tunnels.map(({ name, listen: { address } }) => [name, underlay({ local: address })]),
  );
  return [...translatedTunnels(tunnels, { underlays, foreignIpip })];
}

test("one peer is direct, several are a hub", () => {
  assert.equal(formOfTunnel(tunnel("none", [])), "direct");
  assert.equal(formOfTunnel(direct("d")), "direct");
  assert.equal(formOfTunnel(hub("h")), "hub");
});

test("tunnels with a single peer share an address with everybody, until two come to one remote", () => {
  assert.deepEqual(translated([direct("a"), direct("b"), hub("h"), direct("c")]), []);
});

test("of several hubs at one address the first has it", () => {
  assert.deepEqual(translated([hub("h"), direct("a"), hub("i"), hub("j")]), ["i", "j"]);
});

test("other addresses, and tunnels without one yet, are in nobody's way", () => {
  assert.deepEqual(translated([hub("h"), hub("i", B)]), []);
  const unknown = tunnel("u", [peer("p"), peer("q")], { listen: listen(undefined, 3, "wlan0") });
  assert.deepEqual(translated([unknown, hub("h"), { ...unknown, name: "v" }]), []);
});

test("a device of somebody else at the address keeps what is its own", () => {
  const foreign = { device: "other0", local: ipAddress(A), remote: ipAddress("192.0.2.7") };
  assert.deepEqual(translated([direct("a"), hub("h"), hub("i", B)], [foreign]), ["h"]);
});
