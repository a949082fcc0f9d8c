import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, ipAddress } from "../../../src/net/address.ts";
import type { InterfaceAddress, Link, Route } from "../../../src/net/objects.ts";
import { protocolOf } from "../../../src/plan/ownership.ts";
import {
  defaultRoute,
  followsDefaultRoute,
  type Host,
  underlayOf,
} from "../../../src/plan/underlay.ts";
import { listen, peer, prefix, tunnel } from "../../support/configuration.ts";

const link = (name: string, mtu: number, index = 1): Link => ({
  index,
  name,
  kind: undefined,
  up: true,
  carrier: true,
  mtu,
  alias: undefined,
  ipip: undefined,
  statistics: undefined,
});
const address = (device: string, local: string): InterfaceAddress => ({
  device,
  local: ipAddress(local),
  prefixLength: 24,
  peer: undefined,
  noPrefixRoute: false,
  protocol: 0,
});
const route = (device: string, over: Partial<Route> = {}): Route => ({
  type: "unicast",
  destination: prefix("0.0.0.0/0"),
  table: 254,
  metric: 0,
  protocol: 3,
  device,
  gateway: ipAddress("192.0.2.254"),
  onlink: false,
  nexthop: undefined,
  source: undefined,
  ...over,
});
const host: Host = {
  links: [link("lo", 65_536), link("eth0", 1500, 2), link("wlan0", 1400, 3)],
  addresses: [
    address("lo", "127.0.0.1"),
    address("eth0", "169.254.3.4"),
    address("eth0", "fe80::1"),
    address("eth0", "203.0.113.1"),
    address("eth0", "203.0.113.2"),
    address("wlan0", "192.0.2.7"),
  ],
  routes: [route("wlan0", { metric: 600 }), route("eth0", { metric: 100 })],
};

function of(where: ReturnType<typeof listen>, on: Host = host) {
  return underlayOf(tunnel("t", [peer("p")], { listen: where }), on, 10_000);
}

test("each way to write `listen`", () => {
  const port = 10_000;
  const eth0 = { local: "203.0.113.1", index: 2, mtu: 1500, port };
  const cases: [ReturnType<typeof listen>, object][] = [
    [listen(undefined), { ...eth0, device: undefined }],
    [
      listen(undefined, undefined, "wlan0"),
      { local: "192.0.2.7", device: "wlan0", index: 3, mtu: 1400, port },
    ],
    [listen("203.0.113.2"), { ...eth0, local: "203.0.113.2", device: undefined }],
    [listen("203.0.113.2", 1, "eth0"), { ...eth0, local: "203.0.113.2", device: "eth0" }],
    [listen("192.0.2.7", 1, "eth0"), { ...eth0, local: "192.0.2.7", device: "eth0" }],
    [listen("198.51.100.77"), { ...eth0, local: "198.51.100.77", device: undefined }],
    [
      listen(undefined, 1, "ppp0"),
      // What does not exist can't be bound to.
      { local: undefined, device: undefined, index: undefined, mtu: 1500, port },
    ],
  ];
  for (const [where, want] of cases) assert.deepEqual(of(where), want, JSON.stringify(where));
});

test("no default route: no address yet", () => {
  assert.equal(of(listen(undefined), { ...host, routes: [] }).local, undefined);
});

test("a default route's own source wins; our own default routes and other tables don't count", () => {
  const source: IpAddress = ipAddress("203.0.113.2");
  const routes = [
    route("ipipou0", { protocol: protocolOf("ipipou") }),
    route("wlan0", { table: 100 }),
    route("wlan0", { type: "unreachable", device: undefined }),
    route("eth0", { metric: 5, source }),
  ];
  assert.equal(defaultRoute({ ...host, routes })?.device, "eth0");
  assert.equal(of(listen(undefined), { ...host, routes }).local, source);
});

test("only a tunnel with neither address nor device goes where the default route goes", () => {
  const follows = (where: ReturnType<typeof listen>) =>
    followsDefaultRoute(tunnel("t", [], { listen: where }));
  assert.equal(follows(listen(undefined, 10_000)), true);
  assert.equal(follows(listen("203.0.113.1")), false);
  assert.equal(follows(listen(undefined, 1, "eth0")), false);
});
