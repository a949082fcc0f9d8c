import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeNexthop,
  deleteNexthop,
  NEXTHOP,
  newNexthop,
  RTM_NEWNEXTHOP,
  replaceNexthop,
} from "../../../src/kernel/nexthop.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { Nexthop } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const known = devices({ d0: 10 });
const header = 8;

function gateway(id: number, address: string): Nexthop {
  const to = { kind: "gateway", gateway: ipAddress(address), device: "d0", onlink: true } as const;
  return { id, protocol: 77, to };
}

const blackhole: Nexthop = { id: 8, protocol: 77, to: { kind: "blackhole" } };
const device: Nexthop = { id: 9, protocol: 77, to: { kind: "device", device: "d0" } };

test("adding, replacing and deleting is what ip sends", () => {
  assertSameAs("nexthop-add", newNexthop(gateway(7, "203.0.113.1"), known), { header });
  assertSameAs("nexthop-add-blackhole", newNexthop(blackhole, known), { header });
  assertSameAs("nexthop-add-device", newNexthop(device, known), { header });
  const replacement = replaceNexthop(gateway(8, "203.0.113.2"), known);
  assertSameAs("nexthop-replace", replacement, { header });
  assertSameAs("nexthop-del", deleteNexthop(8), { header });
});

test("what ip nexthop show gets", () => {
  const found = golden("nexthop-show").flatMap((message) => decodeNexthop(message, known) ?? []);
  assert.deepEqual(found, [gateway(7, "203.0.113.1"), gateway(8, "203.0.113.2"), device]);
});

test("blackholes and groups", () => {
  const message = (payload: Buffer) => ({ type: RTM_NEWNEXTHOP, flags: 0, sequence: 1, payload });
  const made = newNexthop(blackhole, known);
  assert.deepEqual(decodeNexthop(message(Buffer.from(made.payload)), known), blackhole);
  const group = NEXTHOP.encode({ id: 1, group: Buffer.alloc(8) }, header);
  assert.deepEqual(decodeNexthop(message(group), known)?.to, { kind: "group" });
  assert.throws(() => newNexthop({ id: 1, protocol: 0, to: { kind: "group" } }, known), TypeError);
  assert.throws(() => decodeNexthop(message(Buffer.alloc(7)), known), MalformedMessage);
  assert.equal(decodeNexthop({ ...message(group), type: 3 }, known), undefined);
});
