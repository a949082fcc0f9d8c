import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { makeLinks } from "../../src/apply/make-links.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { LinkResource } from "../../src/plan/resources.ts";
import { Namespace } from "../support/netns.ts";

function link(name: string, remote: string): LinkResource {
  const fou = { sourcePort: 10000, destinationPort: 10000, checksum: false };
  const ipip = {
    local: ipAddress("192.0.2.1"),
    remote: ipAddress(remote),
    device: undefined,
    ttl: 0,
    tos: 0,
    pathMtuDiscovery: true,
    fwmark: 0,
    fou,
  };
  const spec = { name, alias: `ours ${name}`, mtu: 1472, up: true, ipip };
  return { object: "link", tunnel: name, spec };
}

describe("devices with the sign that they are ours", () => {
  let ns: Namespace;
  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "index", "5000", "type", "dummy");
  });
  after(() => ns.close());

  const shown = (name: string): Record<string, unknown> | undefined =>
    (ns.ip("-d", "link", "show") as Record<string, unknown>[]).find(
      (one) => one["ifname"] === name,
    );

  test("stand with alias, up, and by the index that was chosen", async () => {
    const links = [link("t0", "240.0.0.1"), link("t1", "240.0.0.2")];
    const indexes = [4000, 4001];
    await makeLinks(ns.route, links, await ns.devices(), () => indexes.shift() ?? 0);
    for (const [i, name] of ["t0", "t1"].entries()) {
      const there = shown(name);
      assert.equal(there?.["ifalias"], `ours ${name}`);
      assert.equal(there["ifindex"], 4000 + i);
      assert.ok((there["flags"] as string[]).includes("UP"));
    }
  });

  test("are made under another index where the first was taken meanwhile", async () => {
    const indexes = [5000, 5001];
    const before = await ns.devices();
    const stale = { ...before, name: () => undefined };
    await makeLinks(ns.route, [link("t2", "240.0.0.3")], stale, () => indexes.shift() ?? 0);
    assert.equal(shown("t2")?.["ifindex"], 5001);
    assert.equal(shown("d0")?.["ifalias"], undefined);
  });

  test("don't come where the name is taken, and who has it is left alone", async () => {
    ns.run("ip", "link", "add", "name", "t3", "type", "dummy");
    const before = JSON.stringify(shown("t3"));
    const made = makeLinks(ns.route, [link("t3", "240.0.0.4")], await ns.devices());
    await assert.rejects(made, { code: "EEXIST", operation: "RTM_NEWLINK t3" });
    assert.equal(JSON.stringify(shown("t3")), before);
  });
});
