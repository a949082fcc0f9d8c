import assert from "node:assert/strict";
import { test } from "node:test";
import { Tampering } from "../../../src/daemon/tampering.ts";
import { deleteAddress, newAddress } from "../../../src/kernel/address.ts";
import { IFF_UP, newLink, RTM_DELLINK, RTM_NEWLINK } from "../../../src/kernel/link.ts";
import { deleteNexthop, newNexthop } from "../../../src/kernel/nexthop.ts";
import { deleteRoute, newRoute, replaceRoute } from "../../../src/kernel/route.ts";
import { deleteRule } from "../../../src/kernel/rule.ts";
import { type Endpoint, ipAddress } from "../../../src/net/address.ts";
import type { IpipAttributes, TunnelLink } from "../../../src/net/objects.ts";
import { writeU32 } from "../../../src/netlink/attributes.ts";
import { NLM_F_REPLACE } from "../../../src/netlink/constants.ts";
import type { Message, Request } from "../../../src/netlink/request.ts";
import { protocolOf } from "../../../src/plan/ownership.ts";
import { at, prefix } from "../../support/configuration.ts";
import { devices } from "../../support/devices.ts";

const OURS = 4711;
const THEIRS = 815;
const protocol = protocolOf("ipipou");
const known = devices({ ipipou0: 9, eth0: 2 });

function message({ type, payload }: Request, port = THEIRS, flags = 0): Message {
  return { type, flags, sequence: 0, port, payload: Buffer.from(payload) };
}

const ipip: IpipAttributes = {
  ...{ local: ipAddress("203.0.113.1"), remote: ipAddress("198.51.100.2"), device: undefined },
  ...{ ttl: 0, tos: 0, pathMtuDiscovery: true, fwmark: 0 },
  fou: { sourcePort: 10_000, destinationPort: 40_001, checksum: false },
};

function link(
  over: Partial<TunnelLink> = {},
  { type = RTM_NEWLINK, flags = IFF_UP, index = 9 } = {},
): Message {
  const spec = { name: "ipipou0", alias: "", mtu: 1472, ipip, up: true, ...over };
  const one = message({ ...newLink(spec, known, index), type }, 0);
  writeU32(one.payload, flags, 8);
  return one;
}

function tampering(endpoints: readonly Endpoint[] = [at("198.51.100.2:40001")]): Tampering {
  return new Tampering({
    table: "ipipou",
    interfaces: new Set(["ipipou0"]),
    isOwn: (port) => port === OURS,
    endpointsOf: (device) => (device === "ipipou0" ? endpoints : []),
    nameOf: (port) => `process ${port}`,
  });
}

const route = {
  ...({ type: "unicast", destination: prefix("10.7.0.0/16"), table: 254, metric: 0 } as const),
  ...{ protocol, device: "ipipou0", gateway: undefined, onlink: false },
  ...{ nexthop: undefined, source: undefined },
};

test("a device of ours: gone, down and up again, renamed, changed", () => {
  const seen = tampering();
  assert.equal(seen.take(link()), undefined, "the first word of it");
  assert.equal(seen.take(link()), undefined, "nothing new");
  assert.equal(seen.take(link({ mtu: 1000 })), "ipipou0 was changed");
  assert.equal(seen.take(link({ mtu: 1000 })), undefined);
  assert.equal(seen.take(link({ mtu: 1000 }, { flags: 0 })), undefined, "down is somebody's wish");
  assert.equal(seen.take(link({ mtu: 1000 })), "ipipou0 came up");
  assert.equal(seen.take(link({ name: "x" })), "ipipou0 was renamed to x");
  assert.equal(seen.take(link()), undefined);
  assert.equal(seen.take(link({}, { type: RTM_DELLINK })), "ipipou0 is gone");
  assert.equal(seen.take(link({}, { index: 12 })), undefined);
  assert.equal(seen.take(link({}, { type: RTM_DELLINK })), undefined, "the old one's end, late");
  assert.equal(seen.take(link({ name: "eth0" }, { index: 2 })), undefined, "not ours");
});

test("a roam is our own: the device points to where the peer is", () => {
  const moved = (address: string, port: number) => ({
    ipip: {
      ...ipip,
      remote: ipAddress(address),
      fou: { sourcePort: 10_000, destinationPort: port, checksum: false },
    },
  });
  const seen = tampering([at("198.51.100.3:5"), at("198.51.100.2:40001")]);
  seen.take(link());
  assert.equal(seen.take(link(moved("198.51.100.3", 5))), undefined);
  assert.equal(seen.take(link(moved("198.51.100.3", 6))), "ipipou0 was changed");
  assert.equal(seen.take(link(moved("198.51.100.9", 5))), "ipipou0 was changed");
});

test("what is learned from a list is older than what notifications said", () => {
  const seen = tampering();
  seen.take(link({ mtu: 1300 }));
  seen.learn([link(), link({ name: "eth0" }, { index: 2 })]);
  assert.equal(seen.take(link({ mtu: 1300 })), undefined);
  assert.deepEqual([...seen.devices], [[9, "ipipou0"]]);
});

test("addresses, routes, nexthops and rules of ours, by others; our own hand is no news", () => {
  const seen = tampering();
  seen.take(link());
  const address = {
    ...{ device: "ipipou0", local: ipAddress("172.28.0.1"), prefixLength: 24 },
    ...{ peer: undefined, noPrefixRoute: false, protocol },
  };
  const nexthop = { id: 0xf000_0001, protocol, to: { kind: "blackhole" } } as const;
  const rule = {
    ...{ priority: 100, from: undefined, to: undefined, fwmark: undefined, invert: false },
    ...{ table: 50, suppressPrefixLength: undefined, protocol },
  };
  const said: readonly (readonly [Request, string])[] = [
    [deleteAddress(address, known), "an address of ipipou0 was removed by process 815"],
    [newAddress(address, known), "an address of ipipou0 was changed by process 815"],
    [deleteRoute(route, known), "a route was removed by process 815"],
    [newRoute(route, known), "a route was changed by process 815"],
    [newNexthop(nexthop, known), "a nexthop was changed by process 815"],
    [newNexthop({ ...nexthop, protocol: 3 }, known), "a nexthop was changed by process 815"],
    [deleteNexthop(nexthop.id), "a nexthop was removed by process 815"],
    [deleteRule(rule), "a rule was removed by process 815"],
  ];
  for (const [request, words] of said) {
    assert.equal(seen.take(message(request)), words);
    assert.equal(seen.take(message(request, OURS)), undefined, "ours");
    assert.equal(seen.take(message(request, 0)), undefined, "the kernel's");
  }
  for (const request of [
    deleteAddress({ ...address, device: "eth0" }, known),
    deleteRoute({ ...route, protocol: 3 }, known),
    newNexthop({ id: 7, protocol: 3, to: { kind: "blackhole" } }, known),
    deleteRule({ ...rule, protocol: 3 }),
  ]) {
    assert.equal(seen.take(message(request)), undefined, request.operation);
  }
});

test("a route that takes another's place does not say whose", () => {
  const seen = tampering();
  const replacing = replaceRoute({ ...route, protocol: 3 }, known);
  assert.equal(seen.take(message(replacing, THEIRS, NLM_F_REPLACE)), undefined);
  assert.deepEqual(
    [...seen.drainReplaced()],
    [["10.7.0.0/16", "a route was replaced by process 815"]],
  );
  assert.deepEqual([...seen.drainReplaced()], []);
});

test("messages cut short say nothing, or are malformed ones", () => {
  const seen = tampering();
  seen.take(link());
  for (let type = 16; type < 112; type++) {
    for (const length of [0, 3, 7]) {
      const cut = { type, flags: 0, sequence: 0, port: THEIRS, payload: Buffer.alloc(length) };
      try {
        seen.isAboutOurs(cut);
        assert.equal(seen.take(cut), undefined);
      } catch (error) {
        assert.equal((error as Error).name, "MalformedMessage", `${type}, ${length} bytes`);
      }
    }
  }
});
