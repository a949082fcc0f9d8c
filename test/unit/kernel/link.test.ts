import assert from "node:assert/strict";
import { test } from "node:test";
import { devicesOf } from "../../../src/kernel/devices.ts";
import {
  changeLink,
  decodeDevice,
  decodeLink,
  deleteLink,
  getLink,
  IFF_UP,
  IPTUN,
  LINK,
  newLink,
  RTM_DELLINK,
  RTM_NEWLINK,
  setLinkAlias,
  setLinkUp,
} from "../../../src/kernel/link.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { TunnelLink } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { KernelError } from "../../../src/netlink/errors.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const known = devices({ d0: 10, t0: 20, t1: 21 });
const header = 16;
const nests = [18, 2];
const PROTOCOL = "IPPROTO_IPIP where ip says any: MPLS shall not come through";

const direct: TunnelLink = {
  name: "t0",
  alias: "golden",
  mtu: 1400,
  ipip: {
    local: ipAddress("192.0.2.1"),
    remote: ipAddress("198.51.100.1"),
    device: "d0",
    ttl: 64,
    tos: 0x10,
    pathMtuDiscovery: true,
    fwmark: 5,
    fou: { sourcePort: 10000, destinationPort: 20000, checksum: true },
  },
};

const plain: TunnelLink = {
  name: "t1",
  alias: "golden",
  mtu: 1480,
  ipip: {
    local: ipAddress("192.0.2.1"),
    remote: undefined,
    device: undefined,
    ttl: 0,
    tos: 0,
    pathMtuDiscovery: false,
    fwmark: 0,
    fou: undefined,
  },
};

test("a new tunnel with FOU is what ip sends", () => {
  const except = { "18/2/9": PROTOCOL };
  assertSameAs("link-add-ipip-fou", newLink(direct, known, 20), { header, nests, except });
});

test("a new tunnel without FOU, to any remote, is what ip sends", () => {
  const except = {
    "18/2/1": "ip says underlay 0, we nothing",
    "18/2/9": PROTOCOL,
  };
  assertSameAs("link-add-ipip", newLink(plain, known, 21), { header, nests, except });
});

test("a change is what ip sends, everything included", () => {
  const { ipip } = direct;
  const fou = { sourcePort: 10000, destinationPort: 20001, checksum: false };
  const changed: TunnelLink = {
    ...direct,
    alias: "changed",
    mtu: 1300,
    ipip: { ...ipip, remote: ipAddress("198.51.100.2"), fou },
  };
  const except = { "18/2/9": PROTOCOL };
  assertSameAs("link-change-ipip-fou", changeLink(20, changed, known), { header, nests, except });
});

test("up, down, alias and delete are what ip sends", () => {
  assertSameAs("link-set-up", setLinkUp(20), { header });
  assertSameAs("link-set-down", setLinkUp(21, false), { header });
  assertSameAs("link-set-alias", setLinkAlias(21, "golden"), { header });
  assertSameAs("link-del", deleteLink(21), { header });
});

test("by name, the name stands in the message", () => {
  assert.equal(LINK.decode(Buffer.from(setLinkAlias("t9", "x").payload), header).name, "t9");
  assert.equal(LINK.decode(Buffer.from(getLink("t9").payload), header).name, "t9");
  assert.equal(setLinkUp("t9").operation, "RTM_NEWLINK t9 up");
});

test("the index of a new tunnel is the kernel's choice unless told", () => {
  assert.equal(Buffer.from(newLink(direct, known).payload).readInt32LE(4), 0);
  assert.equal(Buffer.from(newLink(direct, known, 20).payload).readInt32LE(4), 20);
});

test("a tunnel on a device that isn't there", () => {
  const lost = { ...direct, ipip: { ...direct.ipip, device: "nowhere0" } };
  assert.throws(() => newLink(lost, known), {
    name: "KernelError",
    code: "ENODEV",
    message: "RTM_NEWLINK t0: ENODEV (there is no device nowhere0)",
  });
  assert.ok(KernelError.prototype instanceof Error);
});

test("what ip link show gets", () => {
  const dump = golden("link-show");
  const found = devicesOf(dump);
  assert.equal(found.index("t0"), 20);
  assert.equal(found.name(10), "d0");
  const links = dump.flatMap((message) => decodeLink(message, found) ?? []);
  assert.deepEqual(
    links.map(({ name, kind, up }) => [name, kind, up]),
    [
      ["lo", undefined, true],
      ["d0", "dummy", true],
      ["t0", "ipip", true],
      ["t1", "ipip", false],
    ],
  );
  const [, , t0, t1] = links;
  assert.deepEqual(t0?.ipip, {
    ...direct.ipip,
    remote: "198.51.100.2",
    fou: { sourcePort: 10000, destinationPort: 20001, checksum: false },
  });
  assert.equal(t0?.alias, "changed");
  assert.equal(t0?.mtu, 1300);
  assert.deepEqual(t1?.ipip, plain.ipip);
  assert.deepEqual(t0?.statistics, { rxPackets: 0n, txPackets: 0n, rxBytes: 0n, txBytes: 0n });
});

test("a link that goes is decoded too, a bridge's port that goes is none", () => {
  const [, , message] = golden("link-show");
  assert.ok(message);
  assert.equal(decodeLink({ ...message, type: RTM_DELLINK }, known)?.name, "t0");
  const port = Buffer.from(message.payload);
  port[0] = 7; // AF_BRIDGE
  assert.equal(decodeLink({ ...message, payload: port }, known), undefined);
  assert.equal(decodeLink({ ...message, type: 24 }, known), undefined);
});

test("an underlay that the dump doesn't have keeps a name of its own", () => {
  const [, , message] = golden("link-show");
  assert.ok(message);
  assert.equal(decodeLink(message, devices())?.ipip?.device, "if10:gone");
});

test("a collect-metadata device has no tunnel's attributes", () => {
  const data = IPTUN.encode({ local: ipAddress("192.0.2.1"), collectMetadata: true });
  const payload = LINK.encode({ name: "m0", info: { kind: "ipip", data } }, header);
  assert.equal(decodeLink(message(payload), known)?.ipip, undefined);
});

test("malformed attributes are named by their path", () => {
  const data = Buffer.from([8, 0, 4, 0, 1, 2, 3, 4]);
  const payload = LINK.encode({ name: "t0", info: { kind: "ipip", data } }, header);
  assert.throws(() => decodeLink(message(payload), known), {
    name: "MalformedMessage",
    message: "RTM_NEWLINK/IFLA_LINKINFO/IFLA_INFO_DATA/IFLA_IPTUN_TTL: want 1 byte, got 4",
  });
  assert.throws(() => decodeLink(message(Buffer.alloc(15)), known), MalformedMessage);
  assert.throws(() => decodeDevice(message(Buffer.alloc(3))), MalformedMessage);
});

test("IFF_UP is a change of one flag", () => {
  const payload = Buffer.from(setLinkUp(3).payload);
  assert.equal(payload.readUInt32LE(8), IFF_UP);
  assert.equal(payload.readUInt32LE(12), IFF_UP);
});

function message(payload: Buffer): Message {
  return { type: RTM_NEWLINK, flags: 0, sequence: 1, payload };
}
