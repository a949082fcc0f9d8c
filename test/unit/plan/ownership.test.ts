import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import type { Link } from "../../../src/net/objects.ts";
import { foreignIpipOf } from "../../../src/plan/foreign.ts";
import { aliasOf, tunnelOfAlias, worstMetric } from "../../../src/plan/ownership.ts";

test("an alias names its tunnel, and only to the table that made it", () => {
  assert.equal(tunnelOfAlias("ipipou", aliasOf("ipipou", "a #b", 0xf1)), "a #b");
  const alias = aliasOf("ipipou", "hub");
  assert.equal(tunnelOfAlias("ipipou", alias), "hub");
  assert.equal(tunnelOfAlias("other", alias), undefined);
  assert.equal(tunnelOfAlias("ipipo", alias), undefined);
  assert.equal(tunnelOfAlias("ipipou", "uplink to Berlin"), undefined);
  assert.equal(tunnelOfAlias("ipipou", undefined), undefined);
});

test("tables have metrics of their own at the very end", () => {
  assert.equal(worstMetric("ipipou"), 0xffff_ffff);
  for (const table of ["a", "b", "test"]) {
    const metric = worstMetric(table);
    assert.ok(metric < 0xffff_ffff && metric >= 0xffff_ff00, table);
    assert.equal(worstMetric(table), metric);
  }
});

test("foreign ipip devices count when they are up and point to one remote", () => {
  const local = ipAddress("203.0.113.1");
  const remote = ipAddress("198.51.100.9");
  const link = (over: Partial<Link>, to: typeof remote | undefined = remote): Link => ({
    index: 7,
    name: "their0",
    kind: "ipip",
    up: true,
    carrier: true,
    mtu: 1480,
    alias: undefined,
    statistics: undefined,
    ipip: {
      local,
      remote: to,
      device: undefined,
      ttl: 0,
      tos: 0,
      pathMtuDiscovery: true,
      fwmark: 0,
      fou: undefined,
    },
    ...over,
  });
  assert.deepEqual(foreignIpipOf([link({})], "ipipou"), [{ device: "their0", local, remote }]);
  assert.deepEqual(foreignIpipOf([link({ up: false })], "ipipou"), []);
  assert.deepEqual(foreignIpipOf([link({ alias: aliasOf("ipipou", "hub") })], "ipipou"), []);
  assert.deepEqual(foreignIpipOf([link({ ipip: undefined })], "ipipou"), []);
  const any = { ...link({}) };
  assert.ok(any.ipip !== undefined);
  const fallback: Link = { ...any, ipip: { ...any.ipip, remote: undefined } };
  assert.deepEqual(foreignIpipOf([fallback], "ipipou"), [], "open to everyone: gets nothing");
});
