import assert from "node:assert/strict";
import { test } from "node:test";
import { addListener, decodeListener, deleteListener } from "../../../src/kernel/fou.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { FouListener } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { devices } from "../../support/devices.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

/** The number that the family had where the files were made. */
const family = { name: "fou", id: golden("fou-add")[0]?.type ?? 0, version: 1 };
const known = devices({ d0: 10 });
const header = 4;

function listener(port: number, rest: Partial<FouListener> = {}): FouListener {
  return {
    port,
    local: undefined,
    peer: undefined,
    peerPort: undefined,
    device: undefined,
    ipProtocol: 4,
    type: "direct",
    ...rest,
  };
}

const local = ipAddress("192.0.2.1");
const connected = listener(10000, { local, peer: ipAddress("192.0.2.200"), peerPort: 20000 });
const wildcard = listener(10001);
const bound = listener(10002, { local, device: "d0" });

test("adding and deleting is what ip sends", () => {
  assertSameAs("fou-add", addListener(family, connected, known), { header });
  assertSameAs("fou-add-wildcard", addListener(family, wildcard, known), { header });
  assertSameAs("fou-add-device", addListener(family, bound, known), { header });
  const except = { 4: "ip says the type, by which the kernel doesn't look" };
  assertSameAs("fou-del", deleteListener(family, connected, known), { header, except });
});

test("what ip fou show gets", () => {
  const dump = golden("fou-show");
  assert.deepEqual(
    dump.flatMap((message) => decodeListener(family, message, known) ?? []),
    [bound, wildcard, connected],
  );
});

test("IPv6 listeners and GUE fit", () => {
  const v6 = listener(10003, { local: ipAddress("2001:db8::1"), type: "gue" });
  const payload = Buffer.from(addListener(family, v6, known).payload);
  payload[0] = 3;
  const message = { type: family.id, flags: 0, sequence: 1, payload };
  assert.deepEqual(decodeListener(family, message, known), v6);
});

test("what is no listener, and what is malformed", () => {
  const [message] = golden("fou-show");
  assert.ok(message);
  assert.equal(decodeListener(family, { ...message, type: 16 }, known), undefined);
  const short = { ...message, payload: Buffer.alloc(3) };
  assert.throws(() => decodeListener(family, short, known), MalformedMessage);
  const other = Buffer.from(message.payload);
  other[0] = 1;
  assert.equal(decodeListener(family, { ...message, payload: other }, known), undefined);
});

test("one whose device has been removed is deleted by that device's index", () => {
  const [message] = golden("fou-show");
  assert.ok(message);
  const gone = decodeListener(family, message, devices());
  assert.equal(gone?.device, "if10:gone");
  assertSameBytes(deleteListener(family, gone, devices()), deleteListener(family, bound, known));
});

function assertSameBytes(one: { payload: Uint8Array }, other: { payload: Uint8Array }): void {
  assert.equal(
    Buffer.from(one.payload).toString("hex"),
    Buffer.from(other.payload).toString("hex"),
  );
}
