import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum } from "../../../src/wire/checksum.ts";
import { buildEchoRequest, parseEchoReply } from "../../../src/wire/echo.ts";
import { mutated, random } from "../../support/random.ts";

const nonce = Buffer.from("0123456789abcdef");
const echo = { identifier: 0x1234, sequence: 0xfffe, nonce };

/** What a host makes of a request (RFC 792: the type, and the checksum anew), with an IP header. */
function reply(request = buildEchoRequest(echo), options = Buffer.alloc(0)): Buffer {
  const message = Buffer.from(request);
  message[0] = 0;
  message.writeUInt16BE(0, 2);
  message.writeUInt16BE(checksum(message), 2);
  const header = Buffer.alloc(20);
  header[0] = 0x45 + options.length / 4;
  header.writeUInt16BE(20 + options.length + message.length, 2);
  header[9] = 1;
  header.set([172, 28, 0, 1], 12);
  return Buffer.concat([header, options, message]);
}

test("a request, byte for byte", () => {
  // Checked with `ping -c1 -p` under tcpdump -x: type, code, checksum, identifier, sequence.
  assert.equal(buildEchoRequest(echo).subarray(0, 8).toString("hex"), `0800${sum()}1234fffe`);
  assert.equal(checksum(buildEchoRequest(echo)), 0);
});

function sum(): string {
  let total = 0x0800 + 0x1234 + 0xfffe;
  for (let i = 0; i < nonce.length; i += 2) total += nonce.readUInt16BE(i);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return (~total & 0xffff).toString(16).padStart(4, "0");
}

test("a reply is read, with options and trailing bytes too", () => {
  const whole = { ...echo, source: "172.28.0.1" };
  assert.deepEqual(parseEchoReply(reply()), whole);
  assert.deepEqual(parseEchoReply(reply(undefined, Buffer.alloc(8))), whole);
  assert.deepEqual(parseEchoReply(Buffer.concat([reply(), Buffer.alloc(6)])), whole);
});

test("what is no echo reply", () => {
  const broken = (change: (packet: Buffer) => void): unknown => {
    const packet = reply();
    change(packet);
    return parseEchoReply(packet);
  };
  assert.equal(
    broken((p) => p.writeUInt8(8, 20)),
    undefined,
    "a request, checksum wrong",
  );
  assert.equal(
    broken((p) => p.writeUInt8(1, 21)),
    undefined,
    "a code",
  );
  assert.equal(
    broken((p) => p.writeUInt8(17, 9)),
    undefined,
    "UDP",
  );
  assert.equal(
    broken((p) => p.writeUInt8(0x65, 0)),
    undefined,
    "IPv6",
  );
  assert.equal(
    broken((p) => p.writeUInt16BE(0x2000, 6)),
    undefined,
    "a fragment",
  );
  assert.equal(
    broken((p) => p.writeUInt8(p.readUInt8(40) ^ 1, 40)),
    undefined,
    "a flipped bit",
  );
  assert.equal(parseEchoReply(reply().subarray(0, 27)), undefined);
  assert.equal(parseEchoReply(Buffer.alloc(0)), undefined);
});

test("no bytes are too broken to be read", () => {
  const below = random(3);
  for (let i = 0; i < 20_000; i++) parseEchoReply(mutated(below, reply()));
});
