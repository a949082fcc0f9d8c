import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeProxy,
  deleteProxy,
  dumpProxies,
  newProxy,
  RTM_NEWNEIGH,
} from "../../../src/kernel/neighbour.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const known = devices({ d0: 10 });
const header = 12;
const proxy = { address: ipAddress("192.0.2.77"), device: "d0", protocol: 77 };

test("adding and deleting is what ip sends", () => {
  assertSameAs("neighbour-add-proxy", newProxy(proxy, known), { header });
  assertSameAs("neighbour-del-proxy", deleteProxy(proxy, known), { header });
});

test("what ip neigh show proxy gets", () => {
  const dump = golden("neighbour-show-proxy");
  assert.deepEqual(
    dump.flatMap((message) => decodeProxy(message, known) ?? []),
    [proxy],
  );
  assert.equal(dumpProxies().payload[10], 8);
});

test("what is no proxy, and what is malformed", () => {
  const message = (payload: Buffer) => ({ type: RTM_NEWNEIGH, flags: 0, sequence: 1, payload });
  const learned = Buffer.from(newProxy(proxy, known).payload);
  learned[10] = 0;
  assert.equal(decodeProxy(message(learned), known), undefined);
  assert.throws(() => decodeProxy(message(Buffer.alloc(2)), known), MalformedMessage);
});
