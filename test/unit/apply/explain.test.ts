/** What becomes of packets, by the rules and objects of our own plans. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderExplanation } from "../../../src/cli/explain-text.ts";
import type { PeerConfig } from "../../../src/config/model.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { withNodes } from "../../../src/plan/directory.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import {
  configuration,
  dialled,
  inner,
  known,
  listen,
  peer,
  prefix,
  tunnel,
} from "../../support/configuration.ts";
import { ExplainedHost, type HostOptions } from "../../support/scene.ts";

const HERE = "198.51.100.2";
const STRANGER = "198.51.100.66";

const named = (name: string, allowed: string, over: Partial<PeerConfig> = {}): PeerConfig =>
  peer(name, {
    allowedIPs: [prefix(allowed)],
    // Another key: another id.
    proof: { kind: "key", publicKey: Buffer.from(name.padEnd(32)) },
    ...over,
  });
const network = { addresses: [inner("172.28.0.1/24")] };
const translated = (text: string): KnownEndpoint => ({ ...known(text), translated: true });

const direct = configuration([tunnel("one", [named("laptop", "172.28.0.2/32")], network)]);
const hub = configuration([
  tunnel(
    "hub",
    [named("a", "172.28.0.2/32"), named("b", "172.28.0.3/32"), named("net", "10.7.0.0/16")],
    network,
  ),
]);

for (const [form, config, key] of [
  ["direct", direct, "one/laptop"],
  ["hub", hub, "hub/a"],
] as const) {
  const name = key.split("/")[1] ?? "";
  const device = key.split("/")[0] ?? "";
  const host = (options: HostOptions = {}) => new ExplainedHost(config, options);
  const standing = (remaining?: number) =>
    host({ endpoints: { [key]: known(`${HERE}:40001`, remaining) } });

  describe(form, () => {
    test("a peer that stands: its data comes out, its proofs are looked at, protocol 4 is dropped", () => {
      const there = standing();
      const data = there.packet("data", `${HERE}:40001`);
      assert.deepEqual([data.outcome, data.verdict], ["delivered", `delivered on ${device}`]);
      assert.deepEqual(
        [data.peer, data.from, data.to, data.source, data.destination],
        [name, `${HERE}:40001`, "203.0.113.1:10000", "172.28.0.2", "172.28.0.1"],
      );
      const order = data.steps.map(({ step }) => step);
      assert.deepEqual(order, ["gate", "gate", "route", "listener", "device", "route"]);
      assert.equal(data.steps[0]?.set, `known-${device}`);
      assert.equal(data.steps[0]?.secondsLeft, null);
      assert.equal(there.packet("proof", HERE).outcome, "queued");
      assert.equal(there.packet("protocol 4", HERE).outcome, "dropped");
    });

    test("the way to it, by its outer and by its inner address", () => {
      for (const address of [HERE, "172.28.0.2"]) {
        const out = standing().packet("out", address);
        assert.deepEqual([out.outcome, out.verdict], ["sent", `sent to ${HERE}:40001`]);
        assert.deepEqual([out.from, out.to], ["203.0.113.1:10000", `${HERE}:40001`]);
      }
      const from = standing().packet("data", "172.28.0.2");
      assert.deepEqual([from.outcome, from.from], ["delivered", `${HERE}:40001`]);
    });

    test("another port, another address, another inner source: dropped, and said why", () => {
      const there = standing();
      const roamed = there.packet("data", "198.51.100.3:40001", { source: "172.28.0.2" });
      assert.equal(
        roamed.verdict,
        `dropped: ${name} is proven at ${HERE}:40001, not at 198.51.100.3:40001`,
      );
      assert.match(roamed.mend ?? "", /reauth/);
      assert.match(there.packet("data", `${HERE}:5`).verdict, /is proven at .*, not at .*:5$/);
      const wrong = there.packet("data", `${HERE}:40001`, { source: "8.8.8.8" });
      assert.match(
        wrong.verdict,
        /^dropped: .* stands at .*, but inner source 8.8.8.8 is nobody's$/,
      );
      assert.match(wrong.mend ?? "", /^send from 172.28.0.2\/32, or add it/);
    });

    test("a peer that is not there: nothing comes in, nothing goes out", () => {
      const data = host().packet("data", "172.28.0.2");
      assert.match(data.verdict, new RegExp(`^dropped: ${name} has no proof now`));
      const out = host().packet("out", "172.28.0.2");
      assert.equal(out.verdict, `dropped: ${name} has no proof now`);
    });

    test("a stranger: data and junk are dropped, a proof is looked at, until it is limited", () => {
      const outcomes = (of: ExplainedHost) =>
        of.explain(STRANGER).packets.map(({ packet, outcome }) => `${packet} ${outcome}`);
      const now = [...["data dropped", "proof queued", "junk dropped", "protocol 4 dropped"]];
      assert.deepEqual(outcomes(standing()), now);
      assert.deepEqual(outcomes(host()), now);
      const limited = host({ limited: [STRANGER] });
      const proof = limited.packet("proof", STRANGER);
      assert.equal(proof.verdict, `dropped: ${STRANGER} is above the limit just now`);
      const step = proof.steps.find(({ set }) => set === "limited");
      assert.equal(step?.secondsLeft, 0.7);
      assert.equal(limited.packet("proof", "198.51.100.67").outcome, "queued");
      const flood = host({ limited: ["0.0.0.0"] }).packet("proof", STRANGER);
      assert.equal(flood.verdict, "dropped: strangers together are above the limit just now");
      // A peer that stands has a rate of its own.
      const both = host({
        endpoints: { [key]: known(`${HERE}:40001`) },
        limited: [HERE, "0.0.0.0"],
      });
      assert.equal(both.packet("proof", `${HERE}:40001`).outcome, "queued");
    });

    test("no daemon: what stands goes on, a proof is dropped", () => {
      const dead = host({ endpoints: { [key]: known(`${HERE}:40001`) }, queues: [] });
      assert.equal(dead.packet("data", HERE).outcome, "delivered");
      assert.match(dead.packet("proof", HERE).verdict, /^dropped: nobody holds queue 26992$/);
    });

    test("nothing there at all", () => {
      const empty = host({ noGate: true, resources: () => [] });
      const data = empty.packet("data", STRANGER);
      assert.deepEqual(
        [data.outcome, data.verdict, data.to],
        ["dropped", `dropped: ${device} is not there`, null],
      );
      assert.equal(empty.packet("out", "172.28.0.2").outcome, "elsewhere");
    });

    test("the gate without the rest, and the rest without the gate", () => {
      const endpoints = { [key]: known(`${HERE}:40001`) };
      const without = (object: string) =>
        host({ endpoints, resources: (all) => all.filter((one) => one.object !== object) });
      assert.match(without("fou").packet("data", HERE).verdict, /no FOU listener is on 203/);
      const noLink = without("link").packet("data", `${HERE}:40001`, { source: "172.28.0.2" });
      assert.match(noLink.verdict, /^dropped: no ipip device is for 198.51.100.2 at 203/);
      const open = host({ endpoints, noGate: true });
      const data = open.packet("data", `${HERE}:40001`, { source: "8.8.8.8" });
      assert.equal(data.outcome, "delivered", "as the kernel does without rules");
      assert.match(data.steps[0]?.what ?? "", /^there is no table ip ipipou/);
    });

    test("a chain that went while we looked", () => {
      const torn = host({
        rules: (objects) =>
          objects.filter((one) => !("name" in one && one.name === `auth-${device}`)),
      });
      const data = torn.packet("data", STRANGER);
      assert.equal(data.outcome, "unknown");
      assert.match(data.steps.at(-1)?.what ?? "", /has what we never make: goto auth-/);
    });

    test("a rule of somebody else", () => {
      const changed = host({
        rules: (objects) =>
          objects.map((one) =>
            one.kind === "chain" && one.name === `tunnel-${device}`
              ? {
                  ...one,
                  rules: [
                    { expressions: [{ kind: "unknown", name: "quota" }], comment: undefined },
                  ],
                }
              : one,
          ),
      });
      const data = changed.packet("data", STRANGER);
      assert.equal(data.outcome, "unknown");
      assert.match(data.steps[0]?.what ?? "", /has what we never make: quota/);
    });
  });
}

test("time left, in seconds", () => {
  const config = configuration([
    tunnel("one", [named("laptop", "172.28.0.2/32", { authLifetime: 30_000 })], network),
  ]);
  const there = new ExplainedHost(config, {
    endpoints: { "one/laptop": known(`${HERE}:40001`, 12_000) },
  });
  const data = there.packet("data", HERE);
  assert.equal(data.steps[0]?.secondsLeft, 12);
  const gone = new ExplainedHost(config).packet("data", "172.28.0.2");
  assert.match(gone.verdict, /has no proof now \(one lasts 30 s\)/);
});

test("a peer with networks has a chain of its own", () => {
  const there = new ExplainedHost(hub, { endpoints: { "hub/net": known(`${HERE}:40001`) } });
  const data = there.packet("data", HERE);
  assert.deepEqual([data.outcome, data.source], ["delivered", "10.7.0.1"]);
  assert.match(data.steps.map(({ what }) => what).join("\n"), /map peers-hub has .*: net \(chain/);
  const wrong = there.packet("data", HERE, { source: "172.28.0.2" });
  assert.match(wrong.verdict, /net stands at .*, but inner source 172.28.0.2 is a's$/);
});

test("two peers of a hub at one outer address: the second is translated, and both are reached", () => {
  const there = new ExplainedHost(hub, {
    endpoints: { "hub/a": known(`${HERE}:1`), "hub/b": translated(`${HERE}:2`) },
  });
  const outs = there.explain(HERE).packets.filter(({ direction }) => direction === "out");
  assert.deepEqual(
    outs.map(({ peer: of, verdict }) => `${of} ${verdict}`),
    [`a sent to ${HERE}:1`, `b sent to ${HERE}:2`],
  );
  assert.match(outs[1]?.steps.map(({ what }) => what).join("\n") ?? "", /stands for 198.51.100.2/);
  for (const port of [1, 2]) {
    assert.equal(there.packet("data", `${HERE}:${port}`).outcome, "delivered");
  }
});

for (const conntrack of ["bypass", "track"] as const) {
  test(`a translated tunnel (conntrack: ${conntrack}): addresses are written both ways`, () => {
    const two = configuration(
      [
        tunnel("one", [named("p", "172.28.0.2/32")], network),
        tunnel("two", [named("p", "172.28.1.2/32")], {
          addresses: [inner("172.28.1.1/24")],
          listen: listen("203.0.113.1", 10_001),
        }),
      ],
      { conntrack },
    );
    const there = new ExplainedHost(two, {
      endpoints: { "one/p": known(`${HERE}:1`), "two/p": translated(`${HERE}:2`) },
    });
    const data = there.packet("data", `${HERE}:2`);
    assert.deepEqual([data.outcome, data.verdict], ["delivered", "delivered on two"]);
    assert.equal(data.to, "203.0.113.1:10001", "as it is on the wire");
    assert.match(data.steps.map(({ what }) => what).join("\n"), /rewritten: .* to 2[45]\d\./);
    const out = there.packet("out", "172.28.1.2");
    assert.deepEqual([out.from, out.to], ["203.0.113.1:10001", `${HERE}:2`]);
    assert.equal(out.outcome, "sent");
  });
}

test("who dials: answers from its endpoint alone", () => {
  const config = configuration([
    tunnel("c", [dialled("server", { allowedIPs: [prefix("172.28.0.0/24")] })], {
      addresses: [inner("172.28.0.2/24")],
    }),
  ]);
  const there = new ExplainedHost(config, { endpoints: { "c/server": known("192.0.2.9:10000") } });
  assert.equal(there.packet("answer", "192.0.2.9").outcome, "queued");
  assert.equal(there.packet("data", "192.0.2.9").outcome, "delivered");
  assert.deepEqual(
    there.explain(STRANGER).packets.map(({ packet, outcome }) => `${packet} ${outcome}`),
    ["data dropped", "junk dropped", "protocol 4 dropped"],
  );
  const before = new ExplainedHost(config).packet("out", "172.28.0.1");
  assert.equal(before.verdict, "dropped: server is not reached yet");
});

test("a tunnel without UDP: protocol 4 from its peer is its data", () => {
  const config = configuration([
    tunnel("p", [dialled("router", { role: "static", allowedIPs: [prefix("172.28.0.0/24")] })], {
      ...{ encapsulation: "none", addresses: [inner("172.28.0.1/24")] },
    }),
  ]);
  const there = new ExplainedHost(config, { endpoints: { "p/router": known(`${HERE}:0`) } });
  const data = there.packet("data", HERE);
  assert.deepEqual([data.outcome, data.verdict, data.from], ["delivered", "delivered on p", HERE]);
  assert.equal(there.packet("out", "172.28.0.9").verdict, `sent to ${HERE}`);
  const wrong = there.packet("data", HERE, { source: "8.8.8.8" });
  assert.match(wrong.verdict, /^dropped: router stands at 198.51.100.2, but inner source 8.8.8.8/);
  const other = there.packet("data", STRANGER, { source: "172.28.0.9" });
  assert.equal(other.verdict, `dropped: router is at ${HERE}, not at ${STRANGER}`);
});

test("nodes of a directory send from any port, each with its own inner source", () => {
  const from = { kind: "file", path: "/etc/udptun.json" } as const;
  const drafted = tunnel("mesh", [], {
    ...{ addresses: [inner("192.168.100.1/24")], listen: listen("203.0.113.1", 7777) },
    directory: { from, interval: 300_000 },
  });
  const nodes = new Map([
    [ipAddress("192.168.100.2"), { host: HERE, port: 7777 }],
    [ipAddress("192.168.100.3"), { host: STRANGER, port: 7777 }],
  ]);
  const config = configuration([withNodes(drafted, nodes).tunnel]);
  const there = new ExplainedHost(config, {
    endpoints: {
      "mesh/192.168.100.2": known(`${HERE}:7777`),
      "mesh/192.168.100.3": known(`${STRANGER}:7777`),
    },
  });
  const data = there.packet("data", `${HERE}:51234`);
  assert.deepEqual(
    [data.outcome, data.from, data.source],
    ["delivered", `${HERE}:51234`, "192.168.100.2"],
  );
  assert.match(data.steps[0]?.what ?? "", /^set nodes-mesh has 198.51.100.2 with inner source/);
  const wrong = there.packet("data", HERE, { source: "192.168.100.3" });
  assert.match(wrong.verdict, /stands at .*, but inner source 192.168.100.3 is 192.168.100.3's$/);
  assert.equal(there.packet("out", "192.168.100.3").verdict, `sent to ${STRANGER}:7777`);
});

test("strict rp_filter, outside and inside", () => {
  const endpoints = { "one/laptop": known(`${HERE}:40001`) };
  const there = new ExplainedHost(direct, { endpoints, rpFilter: true });
  assert.equal(there.packet("data", HERE).outcome, "delivered");
  const without = new ExplainedHost(direct, {
    ...{ endpoints, rpFilter: true },
    resources: (all) => all.filter(({ object }) => object !== "route" && object !== "address"),
  });
  assert.match(
    without.packet("data", HERE).verdict,
    /^dropped: rp_filter: the way back to 172.28.0.2 is not by one$/,
  );
});

test("of many tunnels a stranger could mean, some are shown", () => {
  const many = configuration(
    [0, 1, 2, 3, 4].map((i) =>
      tunnel(`t${i}`, [named("p", `172.28.${i}.2/32`)], {
        listen: listen("203.0.113.1", 10_000 + i),
      }),
    ),
  );
  const there = new ExplainedHost(many);
  const { packets, omitted } = there.explain(STRANGER);
  assert.equal(omitted, 2);
  assert.deepEqual([...new Set(packets.map(({ tunnel: of }) => of))], ["t0", "t1", "t2"]);
  assert.equal(there.explain(STRANGER, { to: "t4" }).omitted, 0);
});

test("our own addresses", () => {
  const out = new ExplainedHost(direct).packet("out", "172.28.0.1");
  assert.equal(out.verdict, "delivered on this host: 172.28.0.1 is its own");
});

test("people read it from top to bottom", () => {
  const config = configuration([
    tunnel("one", [named("laptop", "172.28.0.2/32", { authLifetime: 30_000 })], network),
  ]);
  const there = new ExplainedHost(config, {
    endpoints: { "one/laptop": known(`${HERE}:40001`, 12_000) },
  });
  const [data] = there.explain(HERE).packets;
  assert.ok(data);
  const text = renderExplanation({
    ...{ address: ipAddress(HERE), kind: "outer", packets: [data], omitted: 3 },
  });
  assert.equal(
    text,
    `data from 198.51.100.2:40001 for one/laptop at 203.0.113.1:10000, inner source 172.28.0.2
  gate      set known-one has 198.51.100.2:40001 with inner source 172.28.0.2 (12 s left)
  gate      accepted in chain tunnel-one
  route     203.0.113.1 from 198.51.100.2 by eth0: local dev lo, table local
  listener  203.0.113.1:10000, connected to 198.51.100.2:40001
  device    one: local 203.0.113.1, remote 198.51.100.2, mtu 1472, up
  route     172.28.0.1 from 172.28.0.2 by one: local dev lo, table local
  => delivered on one

3 more tunnels; name one with --to
`,
  );
});
