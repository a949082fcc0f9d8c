import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Nodes } from "../../../src/config/model.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { diff } from "../../../src/plan/diff.ts";
import { withNodes } from "../../../src/plan/directory.ts";
import { formOfTunnel } from "../../../src/plan/form.ts";
import {
  configuration,
  inner,
  known,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";

const directory = { from: { kind: "file", path: "/hosts.json" }, interval: 300_000 } as const;
const fleet = tunnel("fleet", [], { directory, addresses: [inner("192.168.100.1/24")] });

function nodes(of: Readonly<Record<string, string>>): Nodes {
  return new Map(
    Object.entries(of).map(([address, at]) => {
      const [host = "", port = "7777"] = at.split(":");
      return [ipAddress(address), { host, port: Number(port) }];
    }),
  );
}

const names = (of: ReturnType<typeof withNodes>) => of.tunnel.peers.map(({ name }) => name);

describe("nodes as peers", () => {
  it("are there without proof, from their address, with their inner address alone", () => {
    const [one] = withNodes(fleet, nodes({ "192.168.100.2": "198.51.100.2" })).tunnel.peers;
    assert.ok(one);
    assert.equal(one.role, "static");
    assert.equal(one.proof.kind, "none");
    assert.equal(one.pinAddress, true);
    assert.equal(one.pinPort, false);
    assert.deepEqual(one.endpoint, { host: "198.51.100.2", port: 7777 });
    assert.deepEqual(one.allowedIPs, [prefix("192.168.100.2/32")]);
  });

  it("are not ourselves, nor anybody at our host", () => {
    const all = nodes({
      "192.168.100.1": "vps1.example.org",
      "192.168.100.2": "vps2.example.org",
      "192.168.100.9": "vps1.example.org:7778",
    });
    assert.deepEqual(names(withNodes(fleet, all)), ["192.168.100.2"]);
  });

  it("stay the same objects where nothing changes", () => {
    const before = nodes({ "192.168.100.2": "a", "192.168.100.3": "b", "192.168.100.4": "c" });
    const after = nodes({ "192.168.100.2": "a", "192.168.100.3": "x", "192.168.100.5": "d" });
    const { tunnel: one } = withNodes(fleet, before);
    assert.equal(
      withNodes(
        one,
        nodes(Object.fromEntries([...before].map(([address, { host }]) => [address, host]))),
      ).tunnel,
      one,
    );
    const { tunnel: other } = withNodes(one, after);
    assert.equal(other.peers[0], one.peers[0]);
    assert.notEqual(other.peers[1], one.peers[1]);
    assert.deepEqual(
      other.peers.map(({ name }) => name),
      ["192.168.100.2", "192.168.100.3", "192.168.100.5"],
    );
  });

  it("never take what a peer of the configuration has, or a host's outer address", () => {
    const own = peer("gate", { allowedIPs: [prefix("192.168.100.7/32"), prefix("10.0.0.0/8")] });
    const mixed = { ...fleet, peers: [own] };
    const made = withNodes(
      mixed,
      nodes({
        "192.168.100.7": "198.51.100.7",
        "198.51.100.8": "198.51.100.9",
        "198.51.100.9": "198.51.100.7",
        "10.1.1.1": "198.51.100.10",
      }),
    );
    assert.deepEqual(names(made), ["gate", "198.51.100.8", "10.1.1.1"]);
    assert.deepEqual(made.refused, [
      "node 192.168.100.7: its inner address is in the allowedIPs of gate",
      "node 198.51.100.9: its inner address is the outer address of a host",
    ]);
  });

  describe("of a store", () => {
    const limits = { allowedIPs: [prefix("192.168.100.0/24")], unproven: true };
    const of = { kind: "store", members: [], prefix: "/f/", user: undefined } as const;
    const files = {
      password: undefined,
      caFile: undefined,
      certFile: undefined,
      keyFile: undefined,
    };
    const store = { from: { ...of, ...files }, interval: 300_000, limits };
    const guarded = { ...fleet, directory: store };
    const node = (host: string, ...allowedIPs: string[]) => ({
      ...{ host, port: 7777, allowedIPs: allowedIPs.map(prefix) },
    });
    const entries = (of: Readonly<Record<string, ReturnType<typeof node>>>): Nodes =>
      new Map(Object.entries(of).map(([address, one]) => [ipAddress(address), one]));

    it("have what they may have, and no more", () => {
      const made = withNodes(
        guarded,
        entries({
          "192.168.100.2": node("a", "192.168.100.3/32", "192.168.100.2/32"),
          "192.168.101.2": node("b"),
          "192.168.100.4": node("c", "0.0.0.0/0"),
          "192.168.100.5": node("d", "192.168.100.64/30"),
        }),
      );
      const [one] = made.tunnel.peers;
      assert.deepEqual(one?.allowedIPs, [prefix("192.168.100.2/32"), prefix("192.168.100.3/32")]);
      assert.deepEqual(made.refused, [
        "node 192.168.101.2: 192.168.101.2 is outside the allowedIPs of the directory",
        "node 192.168.100.4: 0.0.0.0/0 is outside the allowedIPs of the directory",
        "node 192.168.100.5: 192.168.100.64/30 is a network, and it has no key",
      ]);
    });

    it("never take what another has, whoever of them came first", () => {
      const own = peer("gate", { allowedIPs: [prefix("192.168.100.7/32")] });
      const here = { ...guarded, peers: [own] };
      const first = entries({
        "192.168.100.2": node("a"),
        "192.168.100.3": node("b", "192.168.100.9/32"),
      });
      const { tunnel: one } = withNodes(here, first);
      const claims = entries({
        // They stand before those whose addresses they claim.
        "192.168.100.4": node("x", "192.168.100.2/32"),
        "192.168.100.9": node("x"),
        "192.168.100.5": node("x", "192.168.100.7/32"),
        "192.168.100.6": node("x", "192.168.100.1/32"),
        "192.168.100.7": node("x"),
      });
      const { tunnel: two, refused } = withNodes(one, new Map([...claims, ...first]));
      assert.deepEqual(names({ tunnel: two, refused }), names({ tunnel: one, refused }));
      assert.equal(two, one);
      assert.deepEqual(refused, [
        "node 192.168.100.4: it claims 192.168.100.2, which is that of node 192.168.100.2",
        "node 192.168.100.9: its inner address is that of node 192.168.100.3",
        "node 192.168.100.5: it claims 192.168.100.7, which is in the allowedIPs of gate",
        "node 192.168.100.6: it claims 192.168.100.1, which is ours",
        "node 192.168.100.7: its inner address is in the allowedIPs of gate",
      ]);
    });

    it("say nothing of ourselves, and of our host no more than of others", () => {
      const made = withNodes(
        guarded,
        entries({ "192.168.100.1": node("a"), "192.168.100.2": node("a") }),
      );
      assert.deepEqual(names(made), ["192.168.100.2"]);
    });

    it("need a key, unless it is said that they need none", () => {
      const strict = { ...store, limits: { ...limits, unproven: false } };
      const made = withNodes(
        { ...fleet, directory: strict },
        entries({ "192.168.100.2": node("a") }),
      );
      assert.deepEqual(made.refused, [
        "node 192.168.100.2: it has no publicKey, and `auth: none` is not there",
      ]);
    });
  });

  it("make a hub, however few they are", () => {
    assert.equal(formOfTunnel(fleet), "hub");
    const config = configuration([fleet]);
    const { resources, gate } = desiredState(config, situation(config));
    const link = resources.find(({ object }) => object === "link");
    assert.ok(link?.object === "link" && link.spec.ipip.remote === undefined);
    assert.deepEqual(gate.tunnels[0]?.authentications, []);
  });

  it("cost what one of them has when one of 10,000 moves, and nothing else", () => {
    const many: Record<string, string> = {};
    for (let i = 0; i < 10_000; i++)
      many[`10.7.${i >> 8}.${i & 255}`] = `192.0.${i >> 8}.${i & 255}`;
    const moved = { ...many, "10.7.1.1": "203.0.113.77" };
    const stateOf = (of: Readonly<Record<string, string>>) => {
      const config = configuration([withNodes(fleet, nodes(of)).tunnel]);
      const endpoints = Object.fromEntries(
        Object.entries(of).map(([inside, outside]) => [
          `fleet/${inside}`,
          known(`${outside}:7777`),
        ]),
      );
      return desiredState(config, situation(config, endpoints)).resources;
    };
    const steps = diff(stateOf(moved), stateOf(many));
    assert.deepEqual(
      steps.map(({ action, resource }) => `${action} ${resource.object}`),
      ["change nexthop"],
    );
  });
});
