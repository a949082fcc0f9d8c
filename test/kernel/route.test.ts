import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { newNexthop } from "../../src/kernel/nexthop.ts";
import {
  decodeRoute,
  decodeRouteLookup,
  deleteRoute,
  dumpRoutes,
  getRoute,
  type LookupOptions,
  newRoute,
  type RouteLookup,
  replaceRoute,
} from "../../src/kernel/route.ts";
import { ipAddress, parsePrefix } from "../../src/net/address.ts";
import type { Devices, Route } from "../../src/net/objects.ts";
import { Namespace } from "../support/netns.ts";

const PROTOCOL = 77;

function route(destination: string, rest: Partial<Route> = {}): Route {
  return {
    type: "unicast",
    destination: parsePrefix(destination) ?? assert.fail(destination),
    table: 254,
    metric: 0,
    protocol: PROTOCOL,
    device: undefined,
    gateway: undefined,
    onlink: false,
    nexthop: undefined,
    source: undefined,
    ...rest,
  };
}

describe("routes", () => {
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

  async function read(): Promise<Route[]> {
    const messages = await ns.route.dump(dumpRoutes("ipv4", PROTOCOL));
    const all = messages.flatMap((message) => decodeRoute(message, devices) ?? []);
    return all.filter(({ protocol }) => protocol === PROTOCOL);
  }

  async function lookup(
    destination: string,
    options: LookupOptions = {},
  ): Promise<RouteLookup | undefined> {
    const request = getRoute(ipAddress(destination), options);
    const [message] = await ns.route.request(request);
    return message === undefined ? undefined : decodeRouteLookup(message, devices);
  }

  async function comesBack(made: Route, expected: Record<string, unknown>): Promise<void> {
    await ns.route.request(newRoute(made, devices));
    assert.deepEqual(await read(), [made]);
    const judged = ns.ip("-d", "route", "show", "table", "all", "proto", `${PROTOCOL}`);
    const [seen] = judged as [Record<string, unknown>];
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(seen[key], value, key);
    await assert.rejects(ns.route.request(newRoute(made, devices)), { code: "EEXIST" });
    await ns.route.request(deleteRoute(made, devices));
    assert.deepEqual(await read(), []);
    await assert.rejects(ns.route.request(deleteRoute(made, devices)), { code: "ESRCH" });
  }

  test("of every form, as ip sees them and as we read them back", async () => {
    const gateway = ipAddress("203.0.113.9");
    const source = ipAddress("192.0.2.1");
    await comesBack(
      route("10.1.0.0/16", { device: "d0", gateway, onlink: true, metric: 5, source }),
      { dst: "10.1.0.0/16", gateway, dev: "d0", metric: 5, prefsrc: source, flags: ["onlink"] },
    );
    await comesBack(route("10.2.0.0/16", { device: "d0" }), { scope: "link" });
    await comesBack(route("0.0.0.0/0", { device: "d0", table: 1000 }), { table: "1000" });
    const metric = 0xffff_ffff;
    await comesBack(route("10.3.0.0/16", { type: "unreachable", metric }), {
      type: "unreachable",
      metric,
    });
    await comesBack(route("240.0.0.0/4", { type: "blackhole" }), { type: "blackhole" });
    await comesBack(route("10.4.0.0/16", { type: "prohibit" }), { type: "prohibit" });
    await comesBack(route("10.5.0.1/32", { type: "local", device: "lo", table: 255 }), {
      type: "local",
      dst: "10.5.0.1",
    });
  });

  test("through a nexthop object", async () => {
    const to = { kind: "gateway", gateway: ipAddress("203.0.113.1"), device: "d0" } as const;
    const nexthop = { id: 7, protocol: PROTOCOL, to: { ...to, onlink: true } };
    await ns.route.request(newNexthop(nexthop, devices));
    await comesBack(route("10.6.0.0/16", { nexthop: 7 }), { nhid: 7, gateway: "203.0.113.1" });
    await assert.rejects(
      ns.route.request(newRoute(route("10.6.0.0/16", { nexthop: 8 }), devices)),
      {
        code: "EINVAL",
        kernelText: "Nexthop id does not exist",
      },
    );
  });

  test("replacing is in place", async () => {
    const first = route("10.7.0.0/16", { device: "d0" });
    const second = { ...first, gateway: ipAddress("192.0.2.2") };
    await ns.route.request(replaceRoute(first, devices));
    await ns.route.request(replaceRoute(second, devices));
    assert.deepEqual(await read(), [second]);
    await ns.route.request(deleteRoute(second, devices));
  });

  test("what the kernel would do with a packet", async () => {
    const throughGateway = route("10.8.0.0/16", {
      device: "d0",
      gateway: ipAddress("192.0.2.2"),
      table: 100,
    });
    await ns.route.request(newRoute(throughGateway, devices));
    ns.run("ip", "rule", "add", "fwmark", "5", "table", "100");
    assert.deepEqual(await lookup("10.8.0.1", { mark: 5 }), {
      type: "unicast",
      table: 100,
      device: "d0",
      gateway: "192.0.2.2",
      source: "192.0.2.1",
    });
    await assert.rejects(lookup("10.8.0.1"), { code: "ENETUNREACH" });
    assert.deepEqual(await lookup("192.0.2.77"), {
      type: "unicast",
      table: 254,
      device: "d0",
      gateway: undefined,
      source: "192.0.2.1",
    });
    assert.equal((await lookup("127.0.0.1"))?.type, "local");
    const iif = devices.index("d0") ?? assert.fail();
    const cameIn = (from: string) => lookup("192.0.2.1", { from: ipAddress(from), iif });
    assert.equal((await cameIn("192.0.2.77"))?.type, "local");
    await assert.rejects(cameIn("192.0.2.1"), { code: "EINVAL" }, "our own address from outside");
    ns.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/d0/rp_filter");
    await assert.rejects(cameIn("10.8.0.1"), { code: "EXDEV" }, "strict rp_filter");
    await ns.route.request(deleteRoute(throughGateway, devices));
  });

  test("3,000 in one go", async () => {
    const many = Array.from({ length: 3000 }, (_, i) =>
      route(`10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`, { device: "d0" }),
    );
    const added = await ns.route.requestAll(many.map((one) => newRoute(one, devices)));
    assert.deepEqual(added.filter(Boolean), []);
    assert.equal((await read()).length, many.length);
    const removed = await ns.route.requestAll(many.map((one) => deleteRoute(one, devices)));
    assert.deepEqual(removed.filter(Boolean), []);
    assert.deepEqual(await read(), []);
  });
});
