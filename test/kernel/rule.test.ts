import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decodeRule, deleteRule, dumpRules, newRule } from "../../src/kernel/rule.ts";
import { parsePrefix } from "../../src/net/address.ts";
import type { Rule } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

const plain: Rule = {
  priority: 100,
  from: undefined,
  to: undefined,
  fwmark: undefined,
  invert: false,
  table: 1000,
  suppressPrefixLength: undefined,
  protocol: 77,
};

describe("rules", () => {
  let ns: Namespace;

  before(async () => {
    ns = await Namespace.create();
  });
  after(() => ns.close());

  async function read(): Promise<Rule[]> {
    const messages = await ns.route.dump(dumpRules());
    return messages.flatMap((message) => decodeRule(message) ?? []);
  }

  async function comesBack(rule: Rule, expected: Record<string, unknown>): Promise<void> {
    await ns.route.request(newRule(rule));
    const ours = (await read()).filter(({ protocol }) => protocol === 77);
    assert.deepEqual(ours, [rule]);
    const judged = ns.ip("-d", "rule", "show", "priority", `${rule.priority}`);
    const [seen] = judged as [Record<string, unknown>];
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(seen[key], value, key);
    await assert.rejects(ns.route.request(newRule(rule)), { code: "EEXIST" });
    await ns.route.request(deleteRule(rule));
    await assert.rejects(ns.route.request(deleteRule(rule)), { code: "ENOENT" });
  }

  test("of every form, as ip sees them and as we read them back", async () => {
    await comesBack(plain, { src: "all", table: "1000", protocol: "77" });
    await comesBack(
      { ...plain, fwmark: { value: 0x10, mask: 0xff }, invert: true },
      { fwmark: "0x10", fwmask: "0xff" },
    );
    await comesBack({ ...plain, fwmark: { value: 7, mask: 0xffff_ffff } }, { fwmark: "0x7" });
    await comesBack({ ...plain, table: 254, suppressPrefixLength: 0 }, { suppress_prefixlen: 0 });
    await comesBack(
      { ...plain, from: parsePrefix("10.0.0.0/8"), to: parsePrefix("192.0.2.1") },
      { src: "10.0.0.0", srclen: 8, dst: "192.0.2.1" },
    );
  });

  test("the kernel's own three, and none that we have no words for", async () => {
    ns.run("ip", "rule", "add", "iif", "lo", "table", "100", "priority", "50");
    ns.run("ip", "rule", "add", "blackhole", "from", "10.9.0.0/16", "priority", "51");
    ns.run("ip", "rule", "add", "tos", "0x10", "table", "100", "priority", "52");
    assert.deepEqual(
      (await read()).map(({ priority, table }) => [priority, table]),
      [
        [0, 255],
        [32766, 254],
        [32767, 253],
      ],
    );
  });
});
