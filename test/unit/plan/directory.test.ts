import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node, Nodes, TunnelConfig } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
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

const none = { kind: "none" } as const;
/** A key of these bytes. */
const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");

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
        nodes(Object.fromEntries([...before].map(([address, { host }]) => [address, host ?? ""]))),
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
    const limits = { allowedIPs: [prefix("192.168.100.0/24")], unproven: true, proving: none };
    const of = { kind: "store", members: [], prefix: "/f/", user: undefined } as const;
    const files = {
      password: undefined,
      caFile: undefined,
      certFile: undefined,
      keyFile: undefined,
      publish: undefined,
    };
    const store = { from: { ...of, ...files }, interval: 300_000, limits };
    const guarded = { ...fleet, directory: store };
    const node = (host: string, ...allowedIPs: string[]) => ({
      ...{ host, port: 7777, allowedIPs: allowedIPs.map(prefix) },
    });
    const ownAddress = "192.168.100.1";
    const entries = (of: Readonly<Record<string, Node>>): Nodes =>
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

    describe("with keys", () => {
      const seed = new Secret(Buffer.alloc(32, 1));
      const proving = { kind: "key", seed } as const;
      const keyed = { ...guarded, directory: { ...store, limits: { ...limits, proving } } };
      const pair = (_: Secret, publicKey: Uint8Array): Secret | undefined =>
        publicKey[0] === 9 ? undefined : new Secret(Buffer.from([publicKey[0] ?? 0]));
      const at = (byte: number, host?: string) => ({ host, port: 7777, publicKey: key(byte) });
      const by = (of: Parameters<typeof withNodes>[1], tunnel: TunnelConfig = keyed) =>
        withNodes(tunnel, of, pair);
      const roles = (made: ReturnType<typeof withNodes>) =>
        made.tunnel.peers.map(({ name, role, endpoint }) => [name, role, endpoint?.host]);

      it("prove themselves: who can't be reached dials, and of two that can the lower one", () => {
        const all = {
          [ownAddress]: at(1, "198.51.100.1"),
          "192.168.100.0": at(2, "198.51.100.2"),
          "192.168.100.3": at(3, "c.example"),
          "192.168.100.4": at(4),
          "192.168.100.5": node("198.51.100.5"),
        };
        const made = by(entries(all));
        assert.deepEqual(roles(made), [
          ["192.168.100.0", "wait", undefined],
          ["192.168.100.3", "dial", "c.example"],
          ["192.168.100.4", "wait", undefined],
          ["192.168.100.5", "static", "198.51.100.5"],
        ]);
        const [waited, dialled] = made.tunnel.peers;
        assert.deepEqual(waited?.proof, { kind: "key", publicKey: Buffer.alloc(32, 2) });
        assert.deepEqual([...(waited?.secret.reveal() ?? [])], [2]);
        assert.deepEqual([waited?.pinAddress, waited?.replyOnAuth], [false, true]);
        assert.equal(dialled?.identity, proving);
        // Nobody can reach us: we dial whom we can.
        const { [ownAddress]: _, ...others } = all;
        assert.deepEqual(
          roles(by(entries(others))).map(([, role]) => role),
          ["dial", "dial", "wait", "static"],
        );
        // Nothing to prove ourselves by: we wait, and there is nothing to mix in.
        const mute = withNodes(guarded, entries(all));
        assert.deepEqual(
          roles(mute).map(([, role]) => role),
          ["wait", "wait", "wait", "static"],
        );
        assert.deepEqual(
          mute.tunnel.peers.map(({ secret }) => secret.length),
          [0, 0, 0, 0],
        );
      });

      it("both dial where both are behind NAT routers, and else the one that is", () => {
        const behind = (byte: number) => ({ ...at(byte, "203.0.113.5"), seen: true }) as const;
        const of = (own: Node | undefined) =>
          by(
            entries({
              ...(own && { [ownAddress]: own }),
              "192.168.100.0": behind(2),
              "192.168.100.3": at(3, "c"),
            }),
          );
        const dialled = (own: Node | undefined) => roles(of(own)).map(([, role]) => role);
        assert.deepEqual(dialled(behind(1)), ["dial", "dial"]);
        assert.deepEqual(dialled(at(1, "198.51.100.1")), ["wait", "dial"]);
        assert.deepEqual(dialled(at(1)), ["dial", "dial"]);
        assert.deepEqual(dialled(undefined), ["dial", "dial"]);
      });

      it("stay the same objects while they are the same, wherever those are who are waited for", () => {
        const before = by(entries({ "192.168.100.3": at(3, "a"), "192.168.100.4": at(4) }));
        const moved = by(
          entries({ "192.168.100.3": at(3, "b"), "192.168.100.4": { ...at(4), port: 9 } }),
          before.tunnel,
        );
        assert.notEqual(moved.tunnel.peers[0], before.tunnel.peers[0]);
        assert.equal(moved.tunnel.peers[1], before.tunnel.peers[1]);
        const other = by(entries({ "192.168.100.4": at(5) }), before.tunnel);
        assert.notEqual(other.tunnel.peers[0], before.tunnel.peers[1]);
      });

      it("have a key of their own, one that is one, and no more than a port can wait for", () => {
        const own = peer("gate", { proof: { kind: "key", publicKey: Buffer.alloc(32, 7) } });
        const made = by(
          entries({
            "192.168.100.2": at(2),
            "192.168.100.3": at(2),
            "192.168.100.4": at(7),
            "192.168.100.5": at(9, "a"),
          }),
          { ...keyed, peers: [own] },
        );
        assert.deepEqual(made.refused, [
          "node 192.168.100.3: its publicKey is that of node 192.168.100.2",
          "node 192.168.100.4: its publicKey is that of gate",
          "node 192.168.100.5: its publicKey is none of ed25519",
        ]);
        const wide = {
          ...keyed.directory,
          limits: { ...keyed.directory.limits, allowedIPs: [prefix("10.0.0.0/8")] },
        };
        const many = Array.from({ length: 257 }, (_, i) => {
          const publicKey = Buffer.from([1, i >> 8, i & 255, ...Buffer.alloc(29)]).toString(
            "base64",
          );
          return [ipAddress(`10.0.${i >> 8}.${i & 255}`), { ...at(1), publicKey }] as const;
        });
        const crowd = by(new Map(many), { ...keyed, directory: wide });
        assert.deepEqual(crowd.refused, ["node 10.0.1.0: more than 256 keys on one port"]);
      });

      it("may have networks behind them", () => {
        const made = by(
          entries({ "192.168.100.2": { ...at(2), allowedIPs: [prefix("192.168.100.64/30")] } }),
        );
        assert.deepEqual(made.tunnel.peers[0]?.allowedIPs, [
          prefix("192.168.100.2/32"),
          prefix("192.168.100.64/30"),
        ]);
      });

      it("are not taken from a file, which has none", () => {
        const made = withNodes(fleet, entries({ "192.168.100.2": at(2, "a") }));
        assert.deepEqual(made.refused, [
          "node 192.168.100.2: it has a publicKey, which is for nodes of a store",
        ]);
      });
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
