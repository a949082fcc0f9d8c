/** From `routes`, `rules`, `marks` and the like to what stands in the kernel. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findingsOf } from "../../../src/apply/findings.ts";
import { ruleset } from "../../../src/apply/nftables/ruleset.ts";
import type { Observation } from "../../../src/apply/observation.ts";
import type {
  MarkConfig,
  RouteConfig,
  RuleConfig,
  TunnelConfig,
} from "../../../src/config/model.ts";
import type { Chain } from "../../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { Link } from "../../../src/net/objects.ts";
import { describe as words } from "../../../src/plan/describe.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { diff } from "../../../src/plan/diff.ts";
import { keyOf } from "../../../src/plan/resources.ts";
import { withoutWaiting } from "../../../src/plan/settle.ts";
import {
  configuration,
  known,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";
import { ModelKernel } from "../../support/model-kernel.ts";

const route = (to: string, over: Partial<RouteConfig> = {}): RouteConfig => ({
  ...{ to: prefix(to), via: undefined, device: undefined, table: 254, metric: 0 },
  ...{ source: undefined, peer: undefined },
  ...over,
});
const rule = (over: Partial<RuleConfig>): RuleConfig => ({
  ...{ from: undefined, to: undefined, fwmark: undefined, table: 100, priority: 30_000 },
  ...over,
});
const mark = (over: Partial<MarkConfig>): MarkConfig => ({
  ...{ protocol: undefined, source: undefined, destination: undefined, sourcePort: undefined },
  ...{ destinationPort: undefined, inputDevice: undefined },
  mark: { value: 1, mask: 0xffff_ffff },
  ...over,
});
const smtp = mark({ protocol: 6, destinationPort: { first: 25, last: 25 } });

const a = peer("a", { allowedIPs: [prefix("10.1.0.0/16")] });
const b = peer("b", { allowedIPs: [prefix("10.2.0.0/16")] });
const desired = (over: Partial<TunnelConfig>, peers = [a]) => {
  const config = configuration([tunnel("t", peers, over)]);
  const { resources, gate } = desiredState(config, situation(config));
  assert.equal(new Set(resources.map(keyOf)).size, resources.length, "each object once");
  return { config, resources, gate };
};
const said = (over: Partial<TunnelConfig>, peers = [a]) =>
  desired(over, peers).resources.map(words);

describe("routes", () => {
  test("into the tunnel, with an unreachable one behind, and outside", () => {
    const all = said({
      routes: [
        route("0.0.0.0/0", { table: 100, source: ipAddress("10.0.0.1"), metric: 5 }),
        route("198.51.100.7/32", { device: "eth0", via: ipAddress("192.0.2.1") }),
      ],
    });
    assert.ok(all.includes("0.0.0.0/0 dev t src 10.0.0.1 table 100 metric 5"));
    assert.ok(all.includes("unreachable 0.0.0.0/0 table 100 metric 4294967295"));
    assert.ok(all.includes("198.51.100.7/32 via 192.0.2.1 dev eth0"));
    assert.ok(!all.some((one) => /unreachable 198/.test(one)));
  });

  test("in a hub by the nexthop of its peer", () => {
    const all = said({ routes: [route("192.168.0.0/16", { peer: "b" })] }, [a, b]);
    const nexthops = all.filter((one) => /^id \d+ blackhole/.test(one));
    const mine = all.find((one) => one.startsWith("192.168.0.0/16 nhid "));
    assert.equal(nexthops.length, 2);
    assert.equal(mine?.split(" ")[2], nexthops[1]?.split(" ")[1]);
  });

  test("one of allowedIPs that the operator has written himself is his", () => {
    const all = said({ routes: [route("10.1.0.0/16", { source: ipAddress("10.0.0.1") })] });
    assert.deepEqual(
      all.filter((one) => one.startsWith("10.1.0.0/16")),
      ["10.1.0.0/16 dev t src 10.0.0.1"],
    );
  });
});

test("rules that differ in their mark alone are two", () => {
  const fwmark = (value: number) => ({ value, mask: 0xff });
  const all = said({ rules: [rule({ fwmark: fwmark(1) }), rule({ fwmark: fwmark(2) })] });
  assert.deepEqual(
    all.filter((one) => /lookup/.test(one)),
    ["priority 30000 fwmark 0x1/0xff lookup 100", "priority 30000 fwmark 0x2/0xff lookup 100"],
  );
});

describe("on devices of others", () => {
  const over = {
    routes: [route("198.51.100.7/32", { device: "eth0" })],
    proxyArp: [{ address: ipAddress("192.0.2.7"), device: "eth1" }],
  };
  const link = (name: string, up: boolean): Link => ({
    ...{ index: 7, name, kind: undefined, up, carrier: up, mtu: 1500, alias: undefined },
    ...{ ipip: undefined, statistics: undefined },
  });
  const outside = (links: Link[], protocol?: number) => {
    const theirs = { address: ipAddress("192.0.2.7"), device: "eth1", protocol: protocol ?? 0 };
    const proxies = protocol === undefined ? [] : [theirs];
    return withoutWaiting(desired(over).resources, { links, proxies })
      .map(words)
      .filter((one) => / eth[01]$/.test(one));
  };

  test("they wait until these are there and up", () => {
    assert.deepEqual(outside([link("eth0", false)]), []);
    assert.deepEqual(outside([link("eth0", true), link("eth1", true)]), [
      "198.51.100.7/32 dev eth0",
      "proxy 192.0.2.7 dev eth1",
    ]);
  });

  test("an address for which somebody else answers is his", () => {
    assert.deepEqual(outside([link("eth1", true)], 0), []);
    assert.deepEqual(outside([link("eth1", true)], 105), ["proxy 192.0.2.7 dev eth1"]);
  });

  test("--check says what waits, what loops and what lacks forwarding", () => {
    const { config } = desired({
      ...over,
      peers: [peer("a", { allowedIPs: undefined })],
      routes: [...over.routes, route("0.0.0.0/0", { source: ipAddress("10.9.9.9") })],
    });
    const seen = findingsOf(
      config,
      { ...nothing, sysctls: new Map([["net/ipv4/ip_forward", "0"]]) },
      situation(config, { "t/a": known("198.51.100.9:7") }),
    ).map(({ code }) => code);
    for (const code of ["no-device", "no-source", "outer-loop", "no-forwarding"]) {
      assert.ok(seen.includes(code), `${code} in ${seen.join()}`);
    }
    const reached = findingsOf(
      config,
      { ...nothing, sysctls: new Map([["net/ipv4/ip_forward", "1"]]) },
      situation(config, { "t/a": known("198.51.100.7:7") }),
    ).map(({ code }) => code);
    assert.ok(!reached.includes("outer-loop"), "a narrower route outside");
    assert.ok(!reached.includes("no-forwarding"));
  });
});

test("all of it comes and goes in an order that the kernel takes", () => {
  const full = {
    routes: [route("0.0.0.0/0", { table: 100 }), route("192.168.0.0/16", { metric: 7 })],
    rules: [rule({ from: prefix("10.0.0.1/32") })],
  };
  const states = [desired(full), desired({}), desired({ ...full, rules: [] })];
  const kernel = new ModelKernel();
  for (const { resources } of [...states, ...states.reverse()]) {
    kernel.apply(diff(resources, kernel.objects));
    assert.deepEqual(diff(resources, kernel.objects), []);
  }
  kernel.apply(diff([], kernel.objects));
  assert.deepEqual(kernel.objects, []);
});

describe("in nf_tables", () => {
  const chains = (over: Partial<TunnelConfig>) =>
    new Map(
      ruleset(desired(over).gate)
        .filter((one): one is Chain => one.kind === "chain")
        .map((one) => [one.name, one]),
    );
  const kinds = (chain: Chain | undefined) =>
    chain?.rules.map(({ expressions }) =>
      expressions.map((one) => ("key" in one ? `${one.kind} ${one.key}` : one.kind)).join(", "),
    );

  test("marks of what is forwarded and of what is sent; the tunnel's own packets get none", () => {
    const own = mark({ inputDevice: "eth1", mark: { value: 0x10, mask: 0xf0 } });
    const all = chains({ marks: [smtp, own] });
    const [outer, first, second] = kinds(all.get("mark-forwarded")) ?? [];
    assert.equal(outer, "payload, cmp, payload, payload, lookup, verdict");
    assert.equal(first, "meta 6, cmp, payload, cmp, payload, cmp, data, meta-write 3");
    assert.equal(second, "meta 6, cmp, meta 3, bitwise, meta-write 3");
    const local = all.get("mark-local");
    assert.equal(local?.base?.type, "route");
    assert.deepEqual(kinds(local), [outer, "payload, cmp, payload, cmp, data, meta-write 3"]);
    const [name, operator] = all.get("mark-forwarded")?.rules[1]?.expressions.slice(0, 2) ?? [];
    assert.equal(name?.kind, "meta");
    assert.ok(operator?.kind === "cmp" && operator.operator === "neq", "not from the tunnel");
    const bits = all.get("mark-forwarded")?.rules[2]?.expressions[3];
    assert.ok(bits?.kind === "bitwise" && bits.mask === "0fffffff" && bits.xor === "10000000");
  });

  test("segments: what the path takes, and what the tunnel takes of the way back", () => {
    const clamp = chains({ clampMss: true }).get("clamp");
    assert.equal(clamp?.rules.length, 3);
    const size = clamp?.rules[1]?.expressions.find(({ kind }) => kind === "data");
    assert.ok(size?.kind === "data");
    assert.equal(Number.parseInt(size.value, 16), 1472 - 40);
  });

  test("nothing where nobody asks", () => {
    const none = chains({});
    for (const name of ["mark-forwarded", "mark-local", "clamp"]) assert.ok(!none.has(name));
  });
});

const nothing: Observation = {
  devices: { index: () => undefined, name: () => undefined },
  links: [],
  addresses: [],
  routes: [],
  listeners: [],
  proxies: [],
  sysctls: new Map(),
  resources: [],
  ruleset: { kind: "absent" },
};
