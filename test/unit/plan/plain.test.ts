/** Tunnels without UDP, from the configuration to what stands in the kernel and in the gate. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { adoptable } from "../../../src/apply/adopt.ts";
import { findingsOf } from "../../../src/apply/findings.ts";
import { ruleset } from "../../../src/apply/nftables/ruleset.ts";
import type { Observation } from "../../../src/apply/observation.ts";
import type { Chain, Element } from "../../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { describe } from "../../../src/plan/describe.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { translatedTunnels } from "../../../src/plan/form.ts";
import { assignIds } from "../../../src/plan/ids.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import {
  configuration,
  inner,
  known,
  listen,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";

const office = peer("office", {
  role: "static",
  endpoint: { host: "198.51.100.2", port: 0 },
  proof: { kind: "none" },
  allowedIPs: [prefix("10.99.0.2/32"), prefix("192.168.20.0/24")],
});
const plainTunnel = tunnel("ipip0", [office], {
  encapsulation: "none",
  addresses: [inner("10.99.0.1/32")],
  listen: listen("203.0.113.1"),
});
const plain = configuration([plainTunnel]);
const there: Record<string, KnownEndpoint> = { "ipip0/office": known("198.51.100.2:0") };

test("a device without encapsulation, no listener, 20 bytes less", () => {
  const { resources } = desiredState(plain, situation(plain, there));
  assert.deepEqual(resources.filter(({ object }) => object !== "route").map(describe), [
    "10.99.0.1/32 dev ipip0",
    "ipip0 type ipip local 203.0.113.1 remote 198.51.100.2 mtu 1480",
  ]);
});

test("its TOS and the fragments of its outer packets are the operator's business", () => {
  const own = configuration([{ ...plainTunnel, tos: 1, pathMtuDiscovery: false }]);
  const { resources } = desiredState(own, situation(own, there));
  const link = resources.find(({ object }) => object === "link");
  assert.match(link === undefined ? "" : describe(link), /tos inherit nopmtudisc/);
});

test("bare protocol 4 passes from its peer, whose inner sources are looked at, and from nobody else", () => {
  const objects = ruleset(desiredState(plain, situation(plain, there)).gate);
  const chains = new Map(
    objects.filter((one): one is Chain => one.kind === "chain").map((one) => [one.name, one]),
  );
  const verdicts = (name: string) =>
    chains.get(name)?.rules.map(({ expressions }) => {
      const last = expressions.at(-1);
      if (last?.kind === "lookup") return `@${last.set}`;
      return last?.kind === "verdict" ? last.verdict.code : last?.kind;
    });
  assert.deepEqual(verdicts("to-203.0.113.1"), ["@plain", "drop"]);
  assert.deepEqual(verdicts("plain-ipip0"), ["accept", "accept", "accept", "drop"]);
  const elements = objects.filter((one): one is Element => one.kind === "element");
  assert.deepEqual(
    elements.map(({ set, key }) => `${set} ${key}`),
    ["plain c6336402cb007101"],
  );
});

test("a peer whose name has no address yet: the device points to a placeholder, nothing passes", () => {
  const { resources, gate } = desiredState(plain, situation(plain));
  const link = resources.find(({ object }) => object === "link");
  assert.match(link === undefined ? "" : describe(link), /remote 2[45]\d\.\S+ \(placeholder\)/);
  assert.deepEqual(
    ruleset(gate).filter(({ kind }) => kind === "element"),
    [],
  );
});

test("a hub at its address is translated, another tunnel is not", () => {
  const a = peer("a", { allowedIPs: [prefix("172.28.0.2/32")] });
  const b = peer("b", { allowedIPs: [prefix("172.28.0.3/32")] });
  const all = configuration([tunnel("hub", [a, b]), tunnel("one", [a]), plainTunnel]);
  assert.deepEqual([...translatedTunnels(all.tunnels, situation(all))], ["hub"]);
});

test("a restart finds its peer where its name had led", () => {
  const { resources } = desiredState(plain, situation(plain, there));
  const observation = { ...nothing, resources };
  const [found] = adoptable(plain, assignIds(plain), observation);
  assert.deepEqual(found?.endpoint, { address: "198.51.100.2", port: 0 });
});

test("a kernel without fou will do, a device of somebody else in its place will not", () => {
  const codes = (over: Parameters<typeof situation>[2]) =>
    findingsOf(plain, nothing, situation(plain, there, over)).map(({ code }) => code);
  assert.ok(!codes({}).includes("no-fou"));
  const foreignIpip = [
    {
      device: "theirs",
      local: ipAddress("203.0.113.1"),
      remote: ipAddress("198.51.100.2"),
    },
  ];
  assert.ok(codes({ foreignIpip }).includes("foreign-pair"));
});

const nothing: Observation = {
  devices: { index: () => undefined, name: () => undefined },
  links: [],
  addresses: [],
  routes: [],
  listeners: undefined,
  proxies: [],
  sysctls: new Map(),
  resources: [],
  ruleset: { kind: "absent" },
};
