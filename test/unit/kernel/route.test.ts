import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeRoute,
  decodeRouteLookup,
  deleteRoute,
  dumpRoutes,
  getRoute,
  newRoute,
  RTM_NEWROUTE,
  replaceRoute,
} from "../../../src/kernel/route.ts";
import { ipAddress, parsePrefix } from "../../../src/net/address.ts";
import type { Route } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import type { Message, Request } from "../../../src/netlink/request.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const known = devices({ d0: 10 });
const header = 12;

function route(destination: string, rest: Partial<Route> = {}): Route {
  const prefix = parsePrefix(destination);
  assert.ok(prefix);
  return {
    type: "unicast",
    destination: prefix,
    table: 254,
    metric: 0,
    protocol: 77,
    device: undefined,
    gateway: undefined,
    onlink: false,
    nexthop: undefined,
    source: undefined,
    ...rest,
  };
}

const gateway = route("10.1.0.0/16", {
  device: "d0",
  gateway: ipAddress("203.0.113.9"),
  onlink: true,
  metric: 5,
  source: ipAddress("192.0.2.1"),
});
const direct = route("10.2.0.0/16", { device: "d0" });
const through = route("10.3.0.1/32", { nexthop: 7, table: 1000 });
const unreachable = route("10.4.0.0/16", { type: "unreachable", metric: 0xffff_ffff });
const blackhole = route("240.0.0.0/4", { type: "blackhole" });
const byDefault = route("0.0.0.0/0", {
  device: "d0",
  gateway: ipAddress("192.0.2.2"),
  table: 100,
});
const replaced = route("10.2.0.0/16", { device: "d0", gateway: ipAddress("192.0.2.3") });

test("adding, replacing and deleting is what ip sends", () => {
  const same = (name: string, request: Request): void => assertSameAs(name, request, { header });
  same("route-add-gateway", newRoute(gateway, known));
  same("route-add-device", newRoute(direct, known));
  same("route-add-nexthop", newRoute(through, known));
  same("route-add-unreachable", newRoute(unreachable, known));
  same("route-add-blackhole", newRoute(blackhole, known));
  same("route-add-default", newRoute(byDefault, known));
  same("route-replace", replaceRoute(replaced, known));
  same("route-del-unreachable", deleteRoute(unreachable, known));
  const except = { header: "ip leaves the type open, we say unicast" };
  assertSameAs("route-del", deleteRoute(gateway, known), { header, except });
});

test("what ip route show gets", () => {
  const found = golden("route-show").flatMap((message) => decodeRoute(message, known) ?? []);
  const ours = found.filter(({ protocol }) => protocol === 77);
  const sorted = (routes: Route[]): Route[] =>
    routes.sort((a, b) => (a.destination.address < b.destination.address ? -1 : 1));
  const expected = [gateway, through, unreachable, blackhole, byDefault, replaced];
  assert.deepEqual(sorted(ours), sorted(expected));
});

test("a look-up is what ip sends, and its answer", () => {
  const destination = ipAddress("10.1.2.3");
  assertSameAs("route-get-request", getRoute(destination, { mark: 5, oif: 10 }), { header });
  const [answer] = golden("route-get");
  assert.ok(answer);
  assert.deepEqual(decodeRouteLookup(answer, known), {
    type: "unicast",
    table: 254,
    device: "d0",
    gateway: "203.0.113.9",
    source: "192.0.2.1",
  });
  assert.equal(decodeRoute(answer, known), undefined);
});

test("an IPv4 route by an IPv6 gateway goes through RTA_VIA and back", () => {
  const mixed = route("10.9.0.0/16", { device: "d0", gateway: ipAddress("2001:db8::1") });
  assert.deepEqual(decodeRoute(message(newRoute(mixed, known)), known), mixed);
});

test("IPv6 routes fit", () => {
  const v6 = route("2001:db8::/32", { device: "d0", gateway: ipAddress("2001:db8::1") });
  assert.deepEqual(decodeRoute(message(newRoute(v6, known)), known), v6);
});

test("a dump asks for a family and a protocol", () => {
  const { payload } = dumpRoutes("ipv6", 77);
  assert.deepEqual([payload[0], payload[5]], [10, 77]);
});

test("a route of a type that has no name here can't be made", () => {
  assert.throws(() => newRoute(route("10.0.0.0/8", { type: "other" }), known), TypeError);
});

test("what is malformed", () => {
  const short = { type: RTM_NEWROUTE, flags: 0, sequence: 1, payload: Buffer.alloc(11) };
  assert.throws(() => decodeRoute(short, known), MalformedMessage);
  const bad = message(newRoute(direct, known));
  bad.payload.writeUInt16LE(60000, 12);
  assert.throws(() => decodeRoute(bad, known), {
    message: "RTM_NEWROUTE: attribute 1 says 60000 bytes where 16 are left",
  });
});

function message(request: Request): Message {
  return { type: RTM_NEWROUTE, flags: 0, sequence: 1, payload: Buffer.from(request.payload) };
}
