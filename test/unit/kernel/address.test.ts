import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADDRESS,
  decodeAddress,
  deleteAddress,
  newAddress,
  RTM_NEWADDR,
} from "../../../src/kernel/address.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { InterfaceAddress } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const known = devices({ d0: 10 });
const header = 8;

const single: InterfaceAddress = {
  device: "d0",
  local: ipAddress("192.0.2.9"),
  prefixLength: 24,
  peer: undefined,
  noPrefixRoute: false,
  protocol: 0,
};

const pointToPoint: InterfaceAddress = {
  device: "d0",
  local: ipAddress("192.0.2.10"),
  prefixLength: 32,
  peer: ipAddress("198.51.100.9"),
  noPrefixRoute: true,
  protocol: 0,
};

test("adding and deleting is what ip sends", () => {
  assertSameAs("address-add", newAddress(single, known), { header });
  assertSameAs("address-add-peer", newAddress(pointToPoint, known), { header });
  assertSameAs("address-del", deleteAddress(single, known), { header });
});

test("a protocol is one byte of IFA_PROTO", () => {
  const { payload } = newAddress({ ...single, protocol: 77 }, known);
  assert.equal(ADDRESS.decode(Buffer.from(payload), header).protocol, 77);
});

test("what ip addr show gets", () => {
  const dump = golden("address-show");
  const found = dump.flatMap((message) => decodeAddress(message, known) ?? []);
  assert.deepEqual(found.slice(-2), [pointToPoint, single]);
  assert.equal(found[0]?.device, "lo");
});

test("an IPv6 address stands in IFA_ADDRESS alone", () => {
  const payload = ADDRESS.encode({ address: ipAddress("2001:db8::1") }, header);
  payload[0] = 10;
  payload[1] = 64;
  payload[4] = 10;
  const found = decodeAddress(message(payload), known);
  assert.equal(found?.local, "2001:db8::1");
  assert.equal(found?.peer, undefined);
});

test("what is no address, and what is malformed", () => {
  assert.equal(decodeAddress({ ...message(Buffer.alloc(8)), type: 16 }, known), undefined);
  assert.equal(decodeAddress(message(Buffer.alloc(8)), known), undefined);
  assert.throws(() => decodeAddress(message(Buffer.alloc(7)), known), MalformedMessage);
  const odd = Buffer.concat([Buffer.alloc(8), Buffer.from([7, 0, 2, 0, 1, 2, 3, 0])]);
  assert.throws(() => decodeAddress(message(odd), known), {
    message: "RTM_NEWADDR/IFA_LOCAL: want 4 or 16 bytes, got 3",
  });
});

function message(payload: Buffer): Message {
  return { type: RTM_NEWADDR, flags: 0, sequence: 1, payload };
}
