import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAddon, type PayloadPattern } from "../../../src/native/addon.ts";
import {
  attribute,
  errorMessage,
  ipv4Packet,
  ipv6Packet,
  message,
  NFQA_PACKET_HDR,
  NFQA_PAYLOAD,
  packetHeader,
  packetMessage,
  QUEUE_PACKET,
} from "./queue-bytes.ts";

const addon = loadAddon();

const anyLength = { minLength: 0, maxLength: 65535, tests: [] };
const port10000: PayloadPattern = { port: 10000, ...anyLength };

function parse(data: Uint8Array, patterns: readonly PayloadPattern[] = [port10000]) {
  const {
    ids,
    offsets,
    data: bytes,
    rejected,
    malformed,
    refusal,
  } = addon.parseQueueDatagram(data, patterns);
  const packets = [...ids].map((_, i) => bytes.subarray(offsets[i], offsets[i + 1]));
  return { ids: [...ids], packets, rejected: [...rejected], malformed, refusal };
}

/** Whether a packet gets past the patterns. */
function passes(packet: Uint8Array, patterns?: readonly PayloadPattern[]): boolean {
  const { ids, rejected, malformed } = parse(packetMessage(7, packet), patterns);
  assert.equal(malformed, 0);
  assert.deepEqual([...ids, ...rejected], [7], "one verdict, one way or the other");
  return ids.length === 1;
}

test("a matching packet comes out with its id and its bytes", () => {
  const packet = ipv4Packet(10000, Buffer.from("hello"));
  const parsed = parse(packetMessage(0xfffffffe, packet));
  assert.deepEqual(parsed.ids, [0xfffffffe]);
  assert.deepEqual(parsed.packets, [packet]);
  assert.deepEqual(parsed.rejected, []);
});

test("several messages in one datagram, with lengths that are no multiple of four", () => {
  const first = ipv4Packet(10000, Buffer.from("a"));
  const third = ipv6Packet(10000, Buffer.from("abc"));
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const parsed = parse(
    Buffer.concat([
      padded(packetMessage(1, first)),
      padded(packetMessage(2, ipv4Packet(9, Buffer.from("b")))),
      packetMessage(3, third),
    ]),
  );
  assert.deepEqual(parsed.ids, [1, 3]);
  assert.deepEqual(parsed.packets, [first, third]);
  assert.deepEqual(parsed.rejected, [2]);
  assert.equal(parsed.malformed, 0);
});

test("what follows the packet by its own header is not handed out", () => {
  const packet = ipv4Packet(10000, Buffer.from("hello"));
  const parsed = parse(packetMessage(1, Buffer.concat([packet, Buffer.from("trailer")])));
  assert.deepEqual(parsed.packets, [packet]);
});

test("without patterns everything is rejected", () => {
  assert.equal(passes(ipv4Packet(10000, Buffer.alloc(9)), []), false);
});

test("ports, lengths and fields decide; one pattern that fits is enough", () => {
  const patterns: PayloadPattern[] = [
    { port: 20000, ...anyLength },
    {
      port: 10000,
      minLength: 4,
      maxLength: 6,
      tests: [{ offset: 1, width: 2, min: 256, max: 258 }],
    },
    { port: 10000, minLength: 20, maxLength: 20, tests: [] },
    { port: 5, ...anyLength },
  ];
  const payload = (hex: string) => ipv4Packet(10000, Buffer.from(hex, "hex"));
  assert.equal(passes(payload("ff0100ff"), patterns), true);
  assert.equal(passes(payload("ff0102ffffff"), patterns), true);
  assert.equal(passes(payload("ff0103ff"), patterns), false);
  assert.equal(passes(payload("ff00ffff"), patterns), false);
  assert.equal(passes(payload("ff0100"), patterns), false, "too short");
  assert.equal(passes(payload("ff0100ffffffff"), patterns), false, "too long");
  assert.equal(passes(ipv4Packet(10000, Buffer.alloc(20)), patterns), true);
  assert.equal(passes(ipv4Packet(20000, Buffer.alloc(0)), patterns), true);
  assert.equal(passes(ipv4Packet(5, Buffer.alloc(1)), patterns), true);
  assert.equal(passes(ipv4Packet(6, Buffer.alloc(20)), patterns), false);
});

test("a field of six bytes, and one that ends behind the payload", () => {
  const at = (offset: number): PayloadPattern[] => [
    { ...port10000, tests: [{ offset, width: 6, min: 0x0102030405fe, max: 0x0102030405ff }] },
  ];
  const packet = ipv4Packet(10000, Buffer.from("00000102030405ff", "hex"));
  assert.equal(passes(packet, at(2)), true);
  assert.equal(passes(packet, at(1)), false);
  assert.equal(passes(packet, at(3)), false);
  assert.equal(passes(packet, at(65535)), false);
});

test("IPv4 options are passed over", () => {
  assert.equal(passes(ipv4Packet(10000, Buffer.alloc(3), Buffer.alloc(8, 1))), true);
});

test("a packet that is not whole, not UDP or contradicts itself is rejected", () => {
  const changed = (offset: number, ...bytes: number[]) => {
    const packet = ipv4Packet(10000, Buffer.alloc(10));
    packet.set(bytes, offset);
    return packet;
  };
  assert.equal(passes(changed(0, 0x45)), true, "the control");
  assert.equal(passes(changed(0, 0x44)), false, "header too short");
  assert.equal(passes(changed(0, 0x4f)), false, "header longer than the packet");
  assert.equal(passes(changed(0, 0x55)), false, "version 5");
  assert.equal(passes(changed(2, 0, 39)), false, "total length too large");
  assert.equal(passes(changed(2, 0, 37)), false, "total length below the UDP length");
  assert.equal(passes(changed(2, 0, 27)), false, "no room for a UDP header");
  assert.equal(passes(changed(6, 0x20)), false, "first fragment");
  assert.equal(passes(changed(6, 0, 1)), false, "later fragment");
  assert.equal(passes(changed(6, 0x40)), true, "DF is none");
  assert.equal(passes(changed(9, 6)), false, "TCP");
  assert.equal(passes(changed(24, 0, 17)), false, "UDP length too small");
  assert.equal(passes(changed(24, 0, 0)), false, "UDP length 0");
  const six = ipv6Packet(10000, Buffer.alloc(10));
  assert.equal(passes(six), true);
  assert.equal(passes(six.subarray(0, 57)), false, "cut");
  six.writeUInt8(0, 6);
  assert.equal(passes(six), false, "extension header");
  assert.equal(passes(Buffer.alloc(0)), false, "empty");
});

test("a cut message: counted, and its packet rejected rather than forgotten", () => {
  const whole = packetMessage(9, ipv4Packet(10000, Buffer.alloc(100)));
  for (let length = 1; length < whole.length; length++) {
    const { ids, rejected, malformed } = parse(whole.subarray(0, length));
    assert.deepEqual(ids, []);
    // 16 nlmsghdr, 4 nfgenmsg, 4 nlattr, 7 NFQA_PACKET_HDR: from there on the id is known.
    assert.deepEqual(rejected, length < 31 ? [] : [9], `${length} bytes`);
    assert.equal(malformed, 1);
  }
});

test("attributes that lie about their length", () => {
  const id = attribute(NFQA_PACKET_HDR, packetHeader(4));
  const packet = ipv4Packet(10000, Buffer.alloc(4));
  const family = Buffer.from([2, 0, 0, 5]);
  for (const length of [0, 3, 4 + packet.length + 1, 65535]) {
    const payload = attribute(NFQA_PAYLOAD, packet, { length });
    const parsed = parse(message(QUEUE_PACKET, Buffer.concat([family, id, payload])));
    assert.deepEqual([parsed.ids, parsed.rejected, parsed.malformed], [[], [4], 1]);
  }
  const short = attribute(NFQA_PACKET_HDR, Buffer.alloc(6));
  const nameless = parse(message(QUEUE_PACKET, Buffer.concat([family, short])));
  assert.deepEqual([nameless.rejected, nameless.malformed], [[], 1]);
});

test("a packet without payload is rejected", () => {
  const body = Buffer.concat([Buffer.alloc(4), attribute(NFQA_PACKET_HDR, packetHeader(4))]);
  const { rejected, malformed } = parse(message(QUEUE_PACKET, body));
  assert.deepEqual([rejected, malformed], [[4], 0]);
});

test("the kernel's refusals, and messages that are none of the queue's", () => {
  assert.equal(parse(errorMessage(1)).refusal, 1);
  assert.equal(parse(errorMessage(0)).refusal, 0);
  assert.equal(parse(errorMessage(2)).refusal, 0, "ENOENT: the packet was given up already");
  assert.equal(parse(message(2, Buffer.alloc(3))).malformed, 1);
  assert.equal(parse(message(16, Buffer.alloc(16))).malformed, 1);
  assert.equal(parse(message(1, Buffer.alloc(0))).malformed, 0, "NLMSG_NOOP");
  assert.equal(
    parse(message(QUEUE_PACKET, Buffer.alloc(0), 0)).malformed,
    1,
    "endless if believed",
  );
  assert.equal(parse(message(QUEUE_PACKET, Buffer.alloc(0), 0xffffffff)).malformed, 1);
});

test("arguments of the wrong kind say which", () => {
  const bytes = Buffer.alloc(1);
  const withTest = (field: object) => [{ ...port10000, tests: [field] }] as PayloadPattern[];
  const good = { offset: 0, width: 1, min: 0, max: 0 };
  assert.throws(() => addon.parseQueueDatagram("x" as never, []), /data: want a Uint8Array/);
  assert.throws(() => addon.parseQueueDatagram(bytes, {} as never), /patterns: want an array/);
  assert.throws(() => addon.parseQueueDatagram(bytes, [1] as never), /patterns\[0\]: want an obj/);
  assert.throws(
    () => addon.parseQueueDatagram(bytes, withTest({ ...good, width: 7 })),
    /patterns\[0\]\.tests\[0\]\.width: want an integer from 1 to 6/,
  );
  assert.throws(
    () => addon.parseQueueDatagram(bytes, withTest({ ...good, max: Number.NaN })),
    RangeError,
  );
  assert.throws(
    () => addon.parseQueueDatagram(bytes, [{ ...port10000, port: 65536 }]),
    /patterns\[0\]\.port: want an integer from 0 to 65535/,
  );
});
