import assert from "node:assert/strict";
import { test } from "node:test";
import { linkRequests, requestsOf } from "../../../src/apply/messages.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { LinkResource } from "../../../src/plan/resources.ts";
import { devices } from "../../support/devices.ts";

const resource: LinkResource = {
  object: "link",
  tunnel: "t0",
  spec: {
    name: "t0",
    alias: "ours",
    mtu: 1472,
    up: true,
    ipip: {
      local: ipAddress("192.0.2.1"),
      remote: ipAddress("198.51.100.1"),
      device: undefined,
      ttl: 0,
      tos: 0,
      pathMtuDiscovery: true,
      fwmark: 0,
      fou: undefined,
    },
  },
};
const fou = { id: 30, name: "fou", version: 1 };

test("a change of a device that has gone makes none: it would have no alias, and be foreign to us", () => {
  const step = { action: "change", resource, previous: resource } as const;
  assert.throws(() => requestsOf(step, devices(), fou), { code: "ENODEV" });
});

test("a new device goes with its alias, whoever carries it out", () => {
  const operations = linkRequests(resource, devices(), 7).map(({ operation }) => operation);
  assert.deepEqual(operations, [
    "RTM_NEWLINK t0",
    "RTM_NEWLINK index 7 alias",
    "RTM_NEWLINK index 7 up",
  ]);
  const add = { action: "add", resource, previous: undefined } as const;
  assert.throws(() => requestsOf(add, devices(), fou), RangeError);
});
