import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  decodeNexthop,
  deleteNexthop,
  dumpNexthops,
  newNexthop,
  replaceNexthop,
} from "../../src/kernel/nexthop.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Devices, Nexthop } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

function gateway(id: number, address: string): Nexthop {
  const to = { kind: "gateway", gateway: ipAddress(address), device: "d0", onlink: true } as const;
  return { id, protocol: 77, to };
}

const blackhole: Nexthop = { id: 7, protocol: 77, to: { kind: "blackhole" } };

describe("nexthops", () => {
  let ns: Namespace;
  let devices: Devices;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
    for (const name of ["d0", "d1"]) ns.run("ip", "link", "set", "dev", name, "up");
    ns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "d0");
    devices = await ns.devices();
  });
  after(() => ns.close());

  async function read(): Promise<Nexthop[]> {
    const messages = await ns.route.dump(dumpNexthops());
    return messages.flatMap((message) => decodeNexthop(message, devices) ?? []);
  }

  test("a blackhole becomes a gateway, another gateway and a blackhole again, and routes stay", async () => {
    await ns.route.request(newNexthop(blackhole, devices));
    ns.run("ip", "route", "add", "10.0.0.0/8", "nhid", "7");
    for (const now of [gateway(7, "203.0.113.1"), gateway(7, "203.0.113.2"), blackhole]) {
      await ns.route.request(replaceNexthop(now, devices));
      assert.deepEqual(await read(), [now]);
      const [judged] = ns.ip("nexthop") as [Record<string, unknown>];
      assert.equal(judged["id"], 7);
      assert.equal(judged["protocol"], "77");
      if (now.to.kind === "gateway") {
        assert.equal(judged["gateway"], now.to.gateway);
        assert.deepEqual(judged["flags"], ["onlink"]);
      } else assert.equal("blackhole" in judged, true);
      assert.equal((ns.ip("route", "show", "10.0.0.0/8") as unknown[]).length, 1);
    }
    await assert.rejects(ns.route.request(newNexthop(blackhole, devices)), { code: "EEXIST" });
    await ns.route.request(deleteNexthop(7));
    assert.deepEqual(await read(), []);
    await assert.rejects(ns.route.request(deleteNexthop(7)), { code: "ENOENT" });
  });

  test("a device alone, and groups of others", async () => {
    const device: Nexthop = { id: 9, protocol: 77, to: { kind: "device", device: "d0" } };
    await ns.route.request(newNexthop(device, devices));
    ns.run("ip", "nexthop", "add", "id", "10", "group", "9");
    assert.deepEqual(await read(), [device, { id: 10, protocol: 0, to: { kind: "group" } }]);
    for (const id of [10, 9]) await ns.route.request(deleteNexthop(id));
  });

  test("3,000 in one go, and their replacement", async () => {
    const address = (i: number): string => `203.0.${i >> 8}.${i & 255 || 1}`;
    const many = Array.from({ length: 3000 }, (_, i) => gateway(i + 1, address(i)));
    const made = await ns.route.requestAll(many.map((one) => newNexthop(one, devices)));
    assert.deepEqual(made.filter(Boolean), []);
    const replaced = await ns.route.requestAll(many.map((one) => replaceNexthop(one, devices)));
    assert.deepEqual(replaced.filter(Boolean), []);
    assert.deepEqual(await read(), many);
  });
});
