import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  decodeAddress,
  deleteAddress,
  dumpAddresses,
  newAddress,
} from "../../src/kernel/address.ts";
import { setLinkUp } from "../../src/kernel/link.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Devices, InterfaceAddress } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

const single: InterfaceAddress = {
  device: "d0",
  local: ipAddress("192.0.2.1"),
  prefixLength: 24,
  peer: undefined,
  noPrefixRoute: false,
  protocol: 77,
};

const pointToPoint: InterfaceAddress = {
  device: "d0",
  local: ipAddress("192.0.2.9"),
  prefixLength: 32,
  peer: ipAddress("198.51.100.9"),
  noPrefixRoute: true,
  protocol: 0,
};

describe("addresses", () => {
  let ns: Namespace;
  let devices: Devices;

  before(async () => {
    ns = await Namespace.create();
    ns.run("ip", "link", "add", "name", "d0", "type", "veth", "peer", "name", "d1");
    devices = await ns.devices();
    await ns.route.request(setLinkUp("d0"));
  });
  after(() => ns.close());

  async function read(): Promise<InterfaceAddress[]> {
    const messages = await ns.route.dump(dumpAddresses());
    const all = messages.flatMap((message) => decodeAddress(message, devices) ?? []);
    return all.filter(({ device }) => device === "d0");
  }

  function judged(): Record<string, unknown>[] {
    // Without an address ip prints no link at all.
    const links = (ns.ip("-4", "addr", "show", "dev", "d0") ?? []) as { addr_info?: object[] }[];
    return links.flatMap(({ addr_info = [] }) => addr_info as Record<string, unknown>[]);
  }

  test("one of a prefix and one point to point, as ip sees them and as we read them back", async () => {
    await ns.route.request(newAddress(single, devices));
    await ns.route.request(newAddress(pointToPoint, devices));
    assert.deepEqual(await read(), [single, pointToPoint]);
    const [first, second] = judged();
    assert.equal(first?.["local"], "192.0.2.1");
    assert.equal(first?.["prefixlen"], 24);
    assert.equal(second?.["address"], "198.51.100.9");
    assert.equal(second?.["noprefixroute"], true);
    const routes = ns.ip("route", "show", "dev", "d0") as { dst: string }[];
    assert.deepEqual(
      routes.map(({ dst }) => dst),
      ["192.0.2.0/24"],
    );
    await assert.rejects(ns.route.request(newAddress(single, devices)), { code: "EEXIST" });
    await ns.route.request(deleteAddress(pointToPoint, devices));
    await ns.route.request(deleteAddress(single, devices));
    assert.deepEqual(await read(), []);
    await assert.rejects(ns.route.request(deleteAddress(single, devices)), {
      code: "EADDRNOTAVAIL",
    });
  });

  test("what ip made is read as it is", async () => {
    ns.run("ip", "addr", "add", "192.0.2.20/28", "dev", "d0");
    assert.deepEqual(await read(), [
      { ...single, local: "192.0.2.20", prefixLength: 28, protocol: 0 },
    ]);
    for (const address of await read()) await ns.route.request(deleteAddress(address, devices));
    assert.deepEqual(judged(), []);
  });
});
