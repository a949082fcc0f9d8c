import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decodeProxy, deleteProxy, dumpProxies, newProxy } from "../../src/kernel/neighbour.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Devices } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

describe("proxy neighbours", () => {
  let ns: Namespace;
  let devices: Devices;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
    ns.run("ip", "link", "set", "dev", "d0", "up");
    devices = await ns.devices();
  });
  after(() => ns.close());

  test("as ip sees them and as we read them back, without those that were learned", async () => {
    ns.run("ip", "neigh", "add", "192.0.2.5", "lladdr", "02:00:00:00:00:01", "dev", "d0");
    const proxy = { address: ipAddress("192.0.2.77"), device: "d0", protocol: 77 };
    await ns.route.request(newProxy(proxy, devices));
    await ns.route.request(newProxy(proxy, devices));
    const read = async () =>
      (await ns.route.dump(dumpProxies())).map((message) => decodeProxy(message, devices));
    assert.deepEqual(await read(), [proxy]);
    const [judged] = ns.ip("neigh", "show", "proxy") as [Record<string, unknown>];
    assert.deepEqual([judged["dst"], judged["dev"]], ["192.0.2.77", "d0"]);
    await ns.route.request(deleteProxy(proxy, devices));
    assert.deepEqual(await read(), []);
    await assert.rejects(ns.route.request(deleteProxy(proxy, devices)), { code: "ENOENT" });
  });
});
