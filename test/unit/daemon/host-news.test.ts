import assert from "node:assert/strict";
import { test } from "node:test";
import { HostNews } from "../../../src/daemon/host-news.ts";
import { IFF_LOWER_UP, IFF_UP, LINK, RTM_DELLINK, RTM_NEWLINK } from "../../../src/kernel/link.ts";
import { newRoute, RTM_DELROUTE, RTM_NEWROUTE } from "../../../src/kernel/route.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { Route } from "../../../src/net/objects.ts";
import { writeS32, writeU32 } from "../../../src/netlink/attributes.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { protocolOf } from "../../../src/plan/ownership.ts";
import { prefix } from "../../support/configuration.ts";
import { devices } from "../../support/devices.ts";

const known = devices({ eth0: 5, wlan0: 6 });

function message(type: number, payload: Uint8Array): Message {
  return { type, flags: 0, sequence: 0, payload: Buffer.from(payload) };
}

function link(index: number, flags: number, type = RTM_NEWLINK): Message {
  const payload = LINK.encode({ name: `d${index}` }, 16);
  writeS32(payload, index, 4);
  writeU32(payload, flags, 8);
  return message(type, payload);
}

function route(over: Partial<Route>, type = RTM_NEWROUTE): Message {
  const spec: Route = {
    type: "unicast",
    destination: prefix("0.0.0.0/0"),
    table: 254,
    metric: 0,
    protocol: 3,
    device: "eth0",
    gateway: ipAddress("192.0.2.254"),
    onlink: false,
    nexthop: undefined,
    source: undefined,
    ...over,
  };
  return message(type, newRoute(spec, known).payload);
}

function news(...working: number[]): HostNews {
  return new HostNews(
    working.map((index) => ({
      ...{ index, name: `d${index}`, kind: undefined, up: true, carrier: true, mtu: 1500 },
      ...{ alias: undefined, ipip: undefined, statistics: undefined },
    })),
  );
}

const UP = IFF_UP | IFF_LOWER_UP;

function after(host: HostNews, ...messages: Message[]): [taken: boolean[], devices: number[]] {
  const taken = messages.map((one) => host.take(one));
  return [taken, [...host.drain().devices]];
}

test("a device that works again is a new way; one that goes on, or goes away, is not", () => {
  const host = news(5);
  assert.deepEqual(after(host, link(5, UP)), [[true], []]);
  assert.deepEqual(after(host, link(5, IFF_UP)), [[true], []], "no carrier");
  assert.deepEqual(after(host, link(5, UP)), [[true], [5]]);
  assert.deepEqual(after(host, link(5, IFF_LOWER_UP), link(5, UP)), [[true, true], [5]]);
  assert.deepEqual(after(host, link(5, UP, RTM_DELLINK)), [[true], []]);
  assert.deepEqual(after(host, link(7, UP)), [[true], [7]], "one that has come");
});

test("a default route is a new way, of its device and of all who follow it; others are nobody's business", () => {
  const host = news(5, 6);
  assert.equal(host.take(route({ device: "wlan0" })), true);
  assert.deepEqual(host.drain(), { devices: new Set([6]), defaultRoute: true });
  assert.deepEqual(host.drain(), { devices: new Set(), defaultRoute: false });
  assert.deepEqual(after(host, route({}, RTM_DELROUTE)), [[true], []]);
  assert.equal(host.take(route({ destination: prefix("10.0.0.0/8") })), false);
  assert.equal(host.take(route({ protocol: protocolOf("ipipou") })), false, "our own");
  assert.equal(host.drain().defaultRoute, false);
});

test("an address matters, whatever it says", () => {
  assert.equal(news().take(message(20, Buffer.alloc(8))), true);
});
