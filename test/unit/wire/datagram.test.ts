import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { ipAddress, parseEndpoint } from "../../../src/net/address.ts";
import { buildDatagram, parseDatagram } from "../../../src/wire/datagram.ts";

const source = { address: ipAddress("192.0.2.1"), port: 10_000 };
const destination = { address: ipAddress("203.0.113.77"), port: 40_001 };

function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return total;
}

function good(): Buffer {
  return buildDatagram({ source, destination, payload: Buffer.from("hello") }, 64);
}

test("what is built is parsed, and both checksums sum up to ffff", () => {
  for (const length of [0, 1, 72, 73, 1472, 65_507]) {
    const payload = randomBytes(length);
    const packet = buildDatagram({ source, destination, payload }, 7);
    assert.deepEqual(parseDatagram(packet), { source, destination, payload });
    assert.equal(sum(packet.subarray(0, 20)), 0xffff);
    const pseudo = Buffer.alloc(12);
    pseudo.set(packet.subarray(12, 20));
    pseudo.writeUInt16BE(17, 8);
    pseudo.writeUInt16BE(length + 8, 10);
    assert.equal(sum(Buffer.concat([pseudo, packet.subarray(20)])), 0xffff);
    assert.equal(packet[8], 7);
    assert.equal(packet.readUInt16BE(4), 0);
    assert.equal(packet.readUInt16BE(6), 0);
  }
});

// `tcpdump -nvv` 4.99.3 reads these bytes as
// `192.0.2.1.10000 > 203.0.113.77.40001: [udp sum ok] UDP, length 5`,
// with ttl 64, id 0, no flags, and finds nothing wrong with the header's checksum.
test("a known packet", () => {
  assert.equal(
    good().toString("hex"),
    "450000210000000040117c7dc0000201cb00714d27109c41000dfa6068656c6c6f",
  );
});

test("a UDP checksum is never sent as 0, which would mean that there is none", () => {
  let zeroes = 0;
  for (let i = 0; i < 0x10000; i++) {
    const payload = Buffer.from([i >> 8, i & 0xff]);
    const field = buildDatagram({ source, destination, payload }, 64).readUInt16BE(26);
    if (field === 0xffff) zeroes++;
    assert.notEqual(field, 0);
  }
  assert.equal(zeroes, 1);
});

test("IP options and padding behind the packet are skipped", () => {
  const packet = good();
  const longer = Buffer.concat([
    packet.subarray(0, 20),
    Buffer.alloc(4, 1),
    packet.subarray(20),
    Buffer.from("padding"),
  ]);
  longer.writeUInt8(0x46, 0);
  longer.writeUInt16BE(packet.length + 4, 2);
  assert.deepEqual(parseDatagram(longer)?.payload, Buffer.from("hello"));
});

test("a UDP length shorter than the packet bounds the payload", () => {
  const packet = good();
  packet.writeUInt16BE(8 + 2, 24);
  assert.deepEqual(parseDatagram(packet)?.payload, Buffer.from("he"));
});

test("what is no whole UDP datagram gives undefined", () => {
  const change = (name: string, how: (packet: Buffer) => void): [string, Buffer] => {
    const packet = good();
    how(packet);
    return [name, packet];
  };
  const bad: [string, Uint8Array][] = [
    ["nothing", Buffer.alloc(0)],
    ["cut", good().subarray(0, 32)],
    ["a header alone", good().subarray(0, 20)],
    change("IPv6", (p) => p.writeUInt8(0x65, 0)),
    change("a header of 16 bytes", (p) => p.writeUInt8(0x44, 0)),
    change("a header longer than the packet", (p) => p.writeUInt8(0x4f, 0)),
    change("total length too long", (p) => p.writeUInt16BE(34, 2)),
    change("total length too short", (p) => p.writeUInt16BE(27, 2)),
    change("first fragment", (p) => p.writeUInt16BE(0x2000, 6)),
    change("later fragment", (p) => p.writeUInt16BE(1, 6)),
    change("TCP", (p) => p.writeUInt8(6, 9)),
    change("UDP length 7", (p) => p.writeUInt16BE(7, 24)),
    change("UDP length too long", (p) => p.writeUInt16BE(14, 24)),
    change("source port 0", (p) => p.writeUInt16BE(0, 20)),
    change("source in 0/8", (p) => p.writeUInt8(0, 12)),
    change("source is multicast", (p) => p.writeUInt8(224, 12)),
    change("source is class E", (p) => p.writeUInt8(240, 12)),
  ];
  for (const [name, packet] of bad) assert.equal(parseDatagram(packet), undefined, name);
  const df = good();
  df.writeUInt16BE(0x4000, 6);
  assert.ok(parseDatagram(df), "DF is no fragment");
});

test("any bytes are survived", () => {
  for (let i = 0; i < 20_000; i++) {
    parseDatagram(randomBytes(i % 64));
    const mutated = good();
    for (let k = 0; k < 3; k++) mutated[randomBytes(1).readUInt8() % 33] = i & 0xff;
    const parsed = parseDatagram(mutated.subarray(0, 33 - (i % 5)));
    if (parsed) assert.ok(parsed.payload.length <= 5);
  }
});

test("what no IPv4 datagram can hold throws", () => {
  const v6 = parseEndpoint("[2001:db8::1]:1");
  assert.ok(v6);
  const payload = Buffer.alloc(65_508);
  assert.throws(() => buildDatagram({ source, destination, payload }, 64), RangeError);
  assert.throws(
    () => buildDatagram({ source: v6, destination, payload: Buffer.of() }, 64),
    RangeError,
  );
});
