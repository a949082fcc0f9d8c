import assert from "node:assert/strict";
import { test } from "node:test";
import type { Configuration, PeerConfig, TunnelConfig } from "../../../src/config/model.ts";
import { formatPrefix } from "../../../src/net/address.ts";
import { describe } from "../../../src/plan/describe.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { diff } from "../../../src/plan/diff.ts";
import { fullTunnelOf } from "../../../src/plan/full-tunnel.ts";
import { assignIds, idOf, nexthopId, placeholder } from "../../../src/plan/ids.ts";
import { keyOf, type Resource } from "../../../src/plan/resources.ts";
import type { KnownEndpoint, Situation } from "../../../src/plan/situation.ts";
import {
  configuration,
  dialled,
  idAt,
  inner,
  known,
  listen,
  peer,
  pointToPoint,
  prefix,
  situation,
  tunnel,
  underlay,
} from "../../support/configuration.ts";

type Kind = Resource["object"];
type Specs = { [R in Resource as R["object"]]: R["spec"] };

function resources(
  config: Configuration,
  endpoints: Record<string, KnownEndpoint> = {},
  over: Partial<Situation> = {},
) {
  const all = desiredState(config, situation(config, endpoints, over)).resources;
  assert.equal(new Set(all.map(keyOf)).size, all.length, "each object once");
  return {
    all,
    of: <K extends Kind>(kind: K): Specs[K][] =>
      all.flatMap((r) => (r.object === kind ? [r.spec as Specs[K]] : [])),
  };
}

/** Destination, type and where to, of routes other than the placeholders' guard. */
function routes(config: Configuration, endpoints: Record<string, KnownEndpoint> = {}): string[] {
  return resources(config, endpoints)
    .of("route")
    .filter(({ type }) => type !== "blackhole")
    .map((r) => {
      const to = r.nexthop === undefined ? (r.device ?? "-") : "nexthop";
      return `${r.type} ${formatPrefix(r.destination)} ${to} ${r.table} ${r.metric}`;
    })
    .sort();
}

const one = (over: Partial<TunnelConfig> = {}, allowed = ["172.28.0.2/32"]) =>
  configuration([tunnel("t", [peer("p", { allowedIPs: allowed.map(prefix) })], over)]);
const two = (over: Partial<TunnelConfig> = {}) =>
  configuration([
    tunnel(
      "t",
      [
        peer("p", { allowedIPs: [prefix("172.28.0.2/32")] }),
        peer("q", { allowedIPs: [prefix("172.28.0.3/32"), prefix("10.7.0.0/16")] }),
      ],
      over,
    ),
  ]);
const worst = 0xffff_ffff;

test("direct, nobody proven: the device points to the placeholder, the listener keeps the port", () => {
  const config = one();
  const { of } = resources(config);
  const [link] = of("link");
  assert.ok(link !== undefined);
  assert.equal(link.ipip.local, "203.0.113.1");
  assert.equal(link.ipip.remote, placeholder(idAt(config, "t/p")));
  assert.match(link.alias, /^ipipoud ipipou\/t #[0-9a-f]+$/);
  assert.equal(link.mtu, 1472);
  assert.equal(link.up, true);
  assert.equal(link.ipip.pathMtuDiscovery, true);
  assert.equal(link.ipip.fou?.sourcePort, 10_000);
  const [fou, ...more] = of("fou");
  assert.deepEqual(more, []);
  assert.ok(fou !== undefined);
  assert.deepEqual([fou.local, fou.port, fou.type], ["203.0.113.1", 10_000, "direct"]);
  // connect(2) to a placeholder gives EINVAL, as a blackhole route stands there.
  assert.deepEqual([fou.peer, fou.peerPort], [undefined, undefined]);
});

test("direct, proven: device and listener have the peer's address and port", () => {
  const { of } = resources(one(), { "t/p": known("198.51.100.2:40001") });
  assert.equal(of("link")[0]?.ipip.remote, "198.51.100.2");
  assert.equal(of("link")[0]?.ipip.fou?.destinationPort, 40_001);
  assert.deepEqual([of("fou")[0]?.peer, of("fou")[0]?.peerPort], ["198.51.100.2", 40_001]);
});

test("the largest device outside still leaves an MTU that the kernel takes", () => {
  const underlays = new Map([["t", underlay({ mtu: 65_536 })]]);
  assert.equal(resources(one(), {}, { underlays }).of("link")[0]?.mtu, 65_507);
});

test("what the configuration says of the device reaches it", () => {
  const config = one({ interface: "wan7", mtu: 1280, ttl: 64, checksum: true, fwmark: 7 });
  const [link] = resources(config).of("link");
  assert.equal(link?.name, "wan7");
  assert.equal(link?.mtu, 1280);
  assert.equal(link?.ipip.ttl, 64);
  assert.equal(link?.ipip.fwmark, 7);
  assert.equal(link?.ipip.fou?.checksum, true);
});

test("no outer address yet: a device with a placeholder, and no listener, as bind(2) would refuse", () => {
  for (const config of [one, two].map((build) =>
    build({ listen: listen(undefined, undefined, "wlan0") }),
  )) {
    const { of } = resources(config);
    assert.equal(of("link")[0]?.ipip.local, placeholder(idOf(assignIds(config), "t")));
    assert.deepEqual(of("fou"), []);
  }
});

test("bound to a device, but not while it points to a placeholder: that would be taken for a neighbour", () => {
  const bound = { listen: listen("203.0.113.1", 10_000, "wlan0") };
  const device = (config: Configuration, endpoints: Record<string, KnownEndpoint> = {}) =>
    resources(config, endpoints).of("link")[0]?.ipip.device;
  assert.equal(device(one(bound)), undefined);
  assert.equal(device(one(bound), { "t/p": known("198.51.100.2:1") }), "wlan0");
  assert.equal(device(two(bound)), "wlan0");
});

const translated = (text: string): KnownEndpoint => ({ ...known(text), translated: true });

test("a hub's translated peer: its next hop is its id, and a route leads there", () => {
  const config = two();
  const id = idAt(config, "t/q");
  const ends = { "t/p": known("198.51.100.3:1"), "t/q": translated("198.51.100.3:2") };
  const { of, all } = resources(config, ends);
  assert.deepEqual(
    of("nexthop").map(({ to }) => "gateway" in to && to.gateway),
    ["198.51.100.3", placeholder(id)],
  );
  assert.equal(of("link")[0]?.ipip.local, "203.0.113.1");
  const added = all.filter((r) => r.object === "route" && r.spec.device === "lo").map(describe);
  assert.deepEqual(added, [`${placeholder(id)}/32 dev lo metric ${worst}`]);
});

test("a translated tunnel: the device has its id, which is an address of this host, and two listeners", () => {
  const config = one();
  const id = placeholder(idOf(assignIds(config), "t"));
  const { of, all } = resources(config, { "t/p": translated("198.51.100.3:7") });
  assert.deepEqual([of("link")[0]?.ipip.local, of("link")[0]?.ipip.remote], [id, "198.51.100.3"]);
  assert.deepEqual(
    of("fou").map(({ local, peer: remote, peerPort }) => [local, remote, peerPort]),
    [
      ["203.0.113.1", "198.51.100.3", 7],
      [id, "198.51.100.3", 7],
    ],
  );
  const added = all.filter((r) => r.object === "route" && r.spec.device === "lo").map(describe);
  assert.deepEqual(added, [`local ${id}/32 dev lo src 203.0.113.1 table local metric ${worst}`]);
});

test("a hub at an address that another hub has is translated, proven or not, its peers are not", () => {
  const [hub] = two({ listen: listen("203.0.113.1", 10_001) }).tunnels;
  assert.ok(hub !== undefined);
  const config = configuration([tunnel("d", [peer("p"), peer("q")]), hub]);
  const id = placeholder(idOf(assignIds(config), "t"));
  for (const ends of [{}, { "t/p": known("198.51.100.3:1"), "d/p": known("198.51.100.3:1") }]) {
    const { of, all } = resources(config, ends);
    assert.deepEqual(
      of("link").map(({ ipip }) => ipip.local),
      ["203.0.113.1", id],
    );
    assert.deepEqual(
      of("fou").map(({ local, port }) => `${local}:${port}`),
      ["203.0.113.1:10000", "203.0.113.1:10001", `${id}:10001`],
    );
    const onLo = all.filter((r) => r.object === "route" && r.spec.device === "lo");
    assert.equal(onLo.length, 1);
  }
});

test("hub: one device to anywhere, an open listener, a nexthop for each peer", () => {
  const config = two();
  const { of } = resources(config, { "t/q": known("198.51.100.3:40002") });
  assert.equal(of("link").length, 1);
  assert.equal(of("link")[0]?.ipip.remote, undefined);
  assert.deepEqual([of("fou").length, of("fou")[0]?.peer], [1, undefined]);
  assert.deepEqual(
    of("nexthop").map(({ id, to }) => [id, to]),
    [
      [nexthopId(idAt(config, "t/p")), { kind: "blackhole" }],
      [
        nexthopId(idAt(config, "t/q")),
        { kind: "gateway", gateway: "198.51.100.3", device: "t", onlink: true },
      ],
    ],
  );
});

test("hub: routes go by nexthop, and are the same with and without a proof", () => {
  const want = [
    "unicast 10.7.0.0/16 nexthop 254 0",
    "unicast 172.28.0.2/32 nexthop 254 0",
    "unicast 172.28.0.3/32 nexthop 254 0",
    `unreachable 10.7.0.0/16 - 254 ${worst}`,
    `unreachable 172.28.0.2/32 - 254 ${worst}`,
    `unreachable 172.28.0.3/32 - 254 ${worst}`,
  ];
  assert.deepEqual(routes(two()), want);
  assert.deepEqual(routes(two(), { "t/p": known("198.51.100.2:1") }), want);
});

test("hub: no connected route of the kernel's own, but a guard for the whole inner network", () => {
  const config = two({ addresses: [inner("172.28.0.1/24"), pointToPoint("10.0.0.1", "10.0.0.2")] });
  assert.deepEqual(
    resources(config)
      .of("address")
      .map(({ noPrefixRoute }) => noPrefixRoute),
    [true, true],
  );
  assert.ok(routes(config).includes(`unreachable 172.28.0.0/24 - 254 ${worst}`));
  const single = two({ addresses: [inner("172.28.0.1/32")] });
  assert.equal(resources(single).of("address")[0]?.noPrefixRoute, false, "there would be none");
});

test("direct: what the connected route does already is not added, its guard is", () => {
  const config = one({ addresses: [inner("172.28.0.1/24")] }, ["172.28.0.0/24", "10.7.0.0/16"]);
  assert.deepEqual(routes(config), [
    "unicast 10.7.0.0/16 t 254 0",
    `unreachable 10.7.0.0/16 - 254 ${worst}`,
    `unreachable 172.28.0.0/24 - 254 ${worst}`,
  ]);
  const pair = one({ addresses: [pointToPoint("172.28.0.1", "172.28.0.2")] });
  assert.deepEqual(routes(pair), [`unreachable 172.28.0.2/32 - 254 ${worst}`]);
});

test("a peer without allowedIPs has no routes", () => {
  assert.deepEqual(routes(configuration([tunnel("t", [peer("p")])])), []);
});

test("host bits of allowedIPs are no part of a route, and repeats make one guard", () => {
  const all = routes(one({}, ["10.7.1.1/16"]));
  assert.deepEqual(all, ["unicast 10.7.0.0/16 t 254 0", `unreachable 10.7.0.0/16 - 254 ${worst}`]);
});

test("placeholders never leave the host, whatever the configuration is", () => {
  for (const config of [configuration([]), one(), two()]) {
    const guard = resources(config).all.filter(
      (r) => r.object === "route" && r.spec.type === "blackhole",
    );
    assert.deepEqual(guard.map(describe), [`blackhole 240.0.0.0/4 metric ${worst}`]);
  }
});

test("full tunnel: a table of its own with route and guard, two rules, the mark on the device", () => {
  const config = configuration([
    tunnel("t", [dialled("hub", { allowedIPs: [prefix("0.0.0.0/0"), prefix("10.0.0.0/8")] })]),
  ]);
  const tunnelConfig = config.tunnels[0];
  assert.ok(tunnelConfig !== undefined);
  const full = fullTunnelOf(tunnelConfig);
  assert.ok(full !== undefined);
  assert.deepEqual(fullTunnelOf(tunnelConfig), full, "the same after a restart");
  assert.deepEqual(routes(config), [
    `unicast 0.0.0.0/0 t ${full.table} 0`,
    "unicast 10.0.0.0/8 t 254 0",
    `unreachable 0.0.0.0/0 - ${full.table} ${worst}`,
    `unreachable 10.0.0.0/8 - 254 ${worst}`,
  ]);
  const endpoints = { "t/hub": known("198.51.100.1:10000") };
  const { of } = resources(config, endpoints);
  assert.equal(of("link")[0]?.ipip.fwmark, full.mark);
  const rules = resources(config, endpoints).all.filter(({ object }) => object === "rule");
  assert.deepEqual(rules.map(describe), [
    "priority 32764 lookup main suppress_prefixlength 0",
    `priority 32765 not fwmark ${full.mark} lookup ${full.table}`,
    "priority 32763 from 203.0.113.1/32 to 198.51.100.1/32 lookup main",
  ]);
});

test("full tunnel: nothing is sent into it before the name of its peer is known", () => {
  const allowedIPs = [prefix("0.0.0.0/0")];
  const rules = (over: Partial<PeerConfig>, endpoints = {}) =>
    resources(configuration([tunnel("t", [dialled("hub", { allowedIPs, ...over })])]), endpoints)
      .all.filter(({ object }) => object === "rule")
      .map(describe).length;
  assert.equal(rules({}), 0, "its name has to be asked for first");
  assert.equal(rules({}, { "t/hub": known("198.51.100.1:10000") }), 3);
  const address = { endpoint: { host: "198.51.100.1", port: 10_000 } };
  assert.equal(rules(address), 2, "an address needs no asking: nothing ever leaves in clear");
  assert.equal(rules({ role: "wait", endpoint: undefined }), 2);
});

test("full tunnel: a peer that moves takes its rule along, and no other", () => {
  const config = configuration([
    tunnel("t", [dialled("hub", { allowedIPs: [prefix("0.0.0.0/0")] })]),
  ]);
  const at = (endpoint: string) => resources(config, { "t/hub": known(endpoint) }).all;
  const steps = diff(at("198.51.100.9:10000"), at("198.51.100.1:10000"));
  assert.deepEqual(
    steps.flatMap(({ action, resource }) =>
      resource.object === "rule" ? [`${action} ${describe(resource)}`] : [],
    ),
    [
      "remove priority 32763 from 203.0.113.1/32 to 198.51.100.1/32 lookup main",
      "add priority 32763 from 203.0.113.1/32 to 198.51.100.9/32 lookup main",
    ],
  );
});

test("full tunnel: outer packets of other tunnels carry its mark, or they would go into it", () => {
  const everything = { allowedIPs: [prefix("0.0.0.0/0")] };
  const config = configuration([
    tunnel("a", [dialled("one", { allowedIPs: [prefix("10.0.0.0/8")] })]),
    tunnel("b", [dialled("two", everything)], { addresses: [inner("172.28.1.1/24")] }),
    tunnel("c", [dialled("three", { allowedIPs: [prefix("10.1.0.0/16")] })], {
      fwmark: 7,
      addresses: [inner("172.28.2.1/24")],
    }),
  ]);
  const endpoints = Object.fromEntries(
    ["a/one", "b/two", "c/three"].map((key, i) => [key, known(`198.51.100.${i}:10000`)]),
  );
  const underlays = new Map(["a", "b", "c"].map((name, i) => [name, underlay({ port: 5000 + i })]));
  const { of, all } = resources(config, endpoints, { underlays });
  const [a = 0, b, c] = of("link").map(({ ipip }) => ipip.fwmark);
  assert.notEqual(a, 0);
  assert.deepEqual([b, c], [a, 7], "what the operator chose stays");
  const rules = all.flatMap((one) => (one.object === "rule" ? [one.spec] : []));
  const into = rules.filter(({ invert }) => invert);
  assert.deepEqual(
    into.map(({ fwmark }) => fwmark?.value),
    [a],
  );
});

test("full tunnel: a mark of the operator's is kept, but never makes a table of the kernel's own", () => {
  const withMark = (fwmark: number) => {
    const full = fullTunnelOf(
      tunnel("t", [dialled("hub", { allowedIPs: [prefix("0.0.0.0/0")] })], { fwmark }),
    );
    assert.ok(full !== undefined);
    return full;
  };
  assert.deepEqual(withMark(51_820), { mark: 51_820, table: 51_820 });
  assert.equal(withMark(254).mark, 254);
  assert.ok(withMark(254).table > 255);
  assert.notEqual(withMark(0).mark, 0);
});

test("a tunnel without an underlay is a mistake of ours, said so", () => {
  const config = one();
  assert.throws(
    () => desiredState(config, situation(config, {}, { underlays: new Map() })),
    /no underlay for tunnel t/,
  );
});

test("resources that differ in more than a detail have keys of their own", () => {
  const rule = (from: string): Resource => ({
    object: "rule",
    tunnel: null,
    spec: {
      priority: 1,
      from: prefix(from),
      to: undefined,
      fwmark: undefined,
      invert: false,
      table: 254,
      suppressPrefixLength: undefined,
      protocol: 105,
    },
  });
  assert.notEqual(keyOf(rule("10.0.0.0/8")), keyOf(rule("10.0.0.0/16")));
});
