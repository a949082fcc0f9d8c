/**
 * Random and mutated datagrams through the queue's parser and prefilter:
 *
 *   node native/sanitized.mjs node dist/test/fuzz/queue.js --count 1000000 [--seed N]
 *
 * The sanitizer watches the memory; here we check what comes out, with a second prefilter as judge.
 */
import assert from "node:assert/strict";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  type Addon,
  type FieldTest,
  loadAddon,
  type ParsedDatagram,
  type PayloadPattern,
} from "../../src/native/addon.ts";
import { mutated, type Random, random, randomBytes } from "../support/random.ts";
import { errorMessage, ipv4Packet, ipv6Packet, packetMessage } from "../unit/native/queue-bytes.ts";

export interface FuzzResult {
  readonly delivered: number;
  readonly rejected: number;
  readonly malformed: number;
}

const patterns: readonly PayloadPattern[] = [
  { port: 10000, minLength: 0, maxLength: 0, tests: [] },
  { port: 10000, minLength: 9, maxLength: 9, tests: [] },
  {
    port: 10000,
    minLength: 20,
    maxLength: 80,
    tests: [
      { offset: 4, width: 6, min: 0, max: 2 ** 47 },
      { offset: 18, width: 3, min: 100, max: 0xffffff },
    ],
  },
  { port: 20000, minLength: 0, maxLength: 65535, tests: [] },
  { port: 10001, minLength: 0, maxLength: 65535, tests: [{ offset: 0, width: 1, min: 1, max: 0 }] },
];

/** Cut, of a wrong length that both headers agree upon, or mutated: the message around it stays sound. */
function spoil(next: Random, packet: Buffer): Buffer {
  switch (next(8)) {
    case 0:
      return packet.subarray(0, next(packet.length));
    case 1: {
      const more = next(200);
      const six = packet.readUInt8(0) >> 4 === 6;
      const offset = six ? 40 : (packet.readUInt8(0) & 15) * 4;
      const length = packet.length + more;
      packet.writeUInt16BE(six ? length - 40 : length, six ? 4 : 2);
      packet.writeUInt16BE(length - offset, offset + 4);
      return packet.subarray(0, packet.length - next(2) * next(30));
    }
    case 2:
      return mutated(next, packet);
    default:
      return packet;
  }
}

/** One well-formed datagram of up to four messages; the packets in it need not be sound. */
function wellFormed(next: Random): Buffer {
  const parts: Buffer[] = [];
  for (let count = 1 + next(4); count > 0; count--) {
    const port = [10000, 20000, 10001, next(65536)][next(4)] ?? 0;
    const payload = randomBytes(next, [0, 9, next(100)][next(3)] ?? 0);
    const kind = next(8);
    if (kind === 0) parts.push(errorMessage(next(200)));
    else {
      const options = Buffer.alloc(4 * next(2), 1);
      const packet = kind < 3 ? ipv6Packet(port, payload) : ipv4Packet(port, payload, options);
      parts.push(packetMessage(next(2 ** 32), spoil(next, packet)));
    }
    const last = parts[parts.length - 1];
    if (count > 1 && last !== undefined) parts.push(Buffer.alloc(-last.length & 3));
  }
  return Buffer.concat(parts);
}

/** An independent reading of PayloadPattern, slow and plain. */
function matches(packet: Buffer): boolean {
  const version = packet.readUInt8(0) >> 4;
  const offset = version === 6 ? 40 : (packet.readUInt8(0) & 15) * 4;
  const port = packet.readUInt16BE(offset + 2);
  assert.equal(packet.readUInt16BE(offset + 4), packet.length - offset, "UDP length");
  assert.equal(packet.readUInt8(version === 6 ? 6 : 9), 17, "protocol");
  const payload = packet.subarray(offset + 8);
  const passes = ({ offset: at, width, min, max }: FieldTest) => {
    if (at + width > payload.length) return false;
    const value = payload.readUIntBE(at, width);
    return min <= value && value <= max;
  };
  return patterns.some(
    (pattern) =>
      pattern.port === port &&
      pattern.minLength <= payload.length &&
      payload.length <= pattern.maxLength &&
      pattern.tests.every(passes),
  );
}

function check(
  datagram: Buffer,
  { ids, offsets, data, rejected, malformed }: ParsedDatagram,
): void {
  assert.equal(offsets.length, ids.length + 1);
  assert.equal(offsets[0], 0);
  assert.equal(offsets[ids.length], data.length);
  for (let i = 0; i < ids.length; i++) {
    const packet = data.subarray(offsets[i], offsets[i + 1]);
    assert.ok(matches(packet), "what is delivered matches");
    assert.ok(datagram.includes(packet), "what is delivered was there");
  }
  // The shortest message with an id has 31 bytes, any other 16 (the last may be shorter).
  const messages = ids.length + rejected.length;
  assert.ok(messages * 28 <= datagram.length, "no more packets than there is room for");
  assert.ok(malformed <= datagram.length / 16 + 1);
}

/** Throws at the first datagram whose outcome is wrong; its number and the seed tell it again. */
export function fuzzQueue(addon: Addon, count: number, seed: number): FuzzResult {
  const next = random(seed);
  const sums = { delivered: 0, rejected: 0, malformed: 0 };
  for (let i = 0; i < count; i++) {
    const kind = next(10);
    const datagram =
      kind === 0
        ? randomBytes(next, next(200))
        : kind === 1
          ? wellFormed(next)
          : mutated(next, wellFormed(next));
    // An allocation of exactly this size: the sanitizer sees a read past its end.
    const parsed = addon.parseQueueDatagram(new Uint8Array(datagram), patterns);
    try {
      check(datagram, parsed);
      if (kind === 1) assert.equal(parsed.malformed, 0, "well-formed");
    } catch (error) {
      const hex = datagram.toString("hex");
      throw new Error(`datagram ${i} of seed ${seed}: ${hex}`, { cause: error });
    }
    sums.delivered += parsed.ids.length;
    sums.rejected += parsed.rejected.length;
    sums.malformed += parsed.malformed;
  }
  return sums;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count);
  console.log(`queue: ${count} datagrams, seed ${seed}`);
  const start = performance.now();
  const { delivered, rejected, malformed } = fuzzQueue(loadAddon(), count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `queue: ${delivered} packets delivered, ${rejected} rejected, ${malformed} messages malformed, ${seconds} s`,
  );
}
