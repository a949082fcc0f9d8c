/**
 * Random and mutated messages through every decoder of rtnetlink and generic netlink, and through the
 * connection. Mutations start from the golden files, and mostly keep the header, so that they reach far.
 *
 *     node dist/test/fuzz/netlink.js --count 1000000 [--seed N]
 *
 * A decoder may throw MalformedMessage and nothing else; the connection may throw nothing, and settles
 * what was asked.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { decodeAddress } from "../../src/kernel/address.ts";
import { devicesOf } from "../../src/kernel/devices.ts";
import { decodeListener } from "../../src/kernel/fou.ts";
import { decodeFamily } from "../../src/kernel/genetlink.ts";
import { decodeLink } from "../../src/kernel/link.ts";
import { decodeProxy } from "../../src/kernel/neighbour.ts";
import { decodeNexthop } from "../../src/kernel/nexthop.ts";
import { decodeRoute, decodeRouteLookup } from "../../src/kernel/route.ts";
import { decodeRule } from "../../src/kernel/rule.ts";
import { MalformedMessage } from "../../src/netlink/attributes.ts";
import { Netlink } from "../../src/netlink/connection.ts";
import { NetlinkEvents } from "../../src/netlink/events.ts";
import { decodeDone, decodeError, walkMessages } from "../../src/netlink/messages.ts";
import type { Message } from "../../src/netlink/request.ts";
import { devices } from "../support/devices.ts";
import { ack, datagram, done, FakeKernel } from "../support/fake-kernel.ts";
import { golden, goldenFolder } from "../support/golden.ts";
import { mutated, pick, type Random, random, randomBytes } from "../support/random.ts";

export interface FuzzResult {
  readonly decoded: number;
  readonly foreign: number;
  readonly malformed: number;
}

const known = devices({ d0: 10, t0: 20 });

function decodersFor(fou: number): ReadonlyMap<string, (message: Message) => unknown> {
  const family = { name: "fou", id: fou, version: 1 };
  return new Map<string, (message: Message) => unknown>([
    ["link", (message) => decodeLink(message, known)],
    ["devices", (message) => devicesOf([message]).name(10)],
    ["address", (message) => decodeAddress(message, known)],
    ["route", (message) => decodeRoute(message, known)],
    ["lookup", (message) => decodeRouteLookup(message, known)],
    ["nexthop", (message) => decodeNexthop(message, known)],
    ["rule", (message) => decodeRule(message)],
    ["proxy", (message) => decodeProxy(message, known)],
    ["family", (message) => decodeFamily(message)],
    ["listener", (message) => decodeListener(family, message, known)],
    ["error", (message) => (message.type === 2 ? decodeError(message) : undefined)],
    ["done", (message) => (message.type === 3 ? decodeDone(message) : undefined)],
  ]);
}

/** The files of ours: nf_tables has its own fuzzing. */
function corpus(): Message[] {
  const files = readdirSync(goldenFolder).filter((name) =>
    /^(link|address|route|nexthop|rule|neighbour|fou)-.*\.hex$/.test(name),
  );
  const messages = files.flatMap((name) => golden(name.replace(/\.hex$/, "")));
  const [first] = messages;
  assert.ok(first, "no golden files");
  return [...messages, ack(first, 22, "Nexthop id does not exist", 20), done(first)];
}

/** A datagram of one to three messages, each golden, mutated or random. */
function makeDatagram(random: Random, messages: readonly Message[]): Buffer {
  const parts = Array.from({ length: 1 + (random(4) === 0 ? random(3) : 0) }, (): Message => {
    const message = pick(random, messages);
    const kind = random(8);
    if (kind === 0) return message;
    if (kind === 1) return { ...message, payload: randomBytes(random, random(120)) };
    return { ...message, payload: mutated(random, message.payload) };
  });
  const whole = datagram(parts);
  return random(6) === 0 ? mutated(random, whole) : whole;
}

/** A request whose answer is the datagram, then everything that could be due. */
function converse(data: Buffer, random: Random): Promise<void> {
  const kernel = new FakeKernel();
  const netlink = new Netlink(kernel, { dumpAttempts: 1 });
  const request = { operation: "fuzz", type: 16, flags: 0, payload: Buffer.alloc(4) };
  const answered =
    random(2) === 0 ? netlink.request(request) : netlink.requestAll([request, request]);
  const settled = answered.then(
    () => undefined,
    (error: unknown) => assert.ok(error instanceof Error),
  );
  // Where the sequence stands, so that it is taken for the answer.
  if (data.length >= 12) data.writeUInt32LE(1, 8);
  kernel.raw(data);
  kernel.wake();
  netlink.close();
  return settled;
}

function overhear(data: Buffer): void {
  const kernel = new FakeKernel();
  new NetlinkEvents(kernel, []).listen(
    () => {},
    () => {},
  );
  kernel.raw(data);
  kernel.wake();
}

/** Throws at the first datagram that breaks a promise, naming it. */
export async function fuzzNetlink(count: number, seed: number): Promise<FuzzResult> {
  const next = random(seed);
  const messages = corpus();
  const decoders = decodersFor(golden("fou-show")[0]?.type ?? 0);
  const sums = { decoded: 0, foreign: 0, malformed: 0 };
  for (let i = 0; i < count; i++) {
    const data = makeDatagram(next, messages);
    const decode = (message: Message): void => {
      for (const [name, decoder] of decoders) {
        try {
          if (decoder(message) === undefined) sums.foreign++;
          else sums.decoded++;
        } catch (error) {
          if (!(error instanceof MalformedMessage)) throw new Error(name, { cause: error });
          sums.malformed++;
        }
      }
    };
    try {
      tolerating(() => walkMessages(data, decode));
      if (i % 16 === 0) {
        overhear(data);
        await converse(data, next);
      }
    } catch (error) {
      const hex = data.toString("hex");
      throw new Error(`datagram ${i} of seed ${seed}: ${hex}`, { cause: error });
    }
  }
  return sums;
}

function tolerating(walk: () => void): void {
  try {
    walk();
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count);
  console.log(`netlink: ${count} datagrams, seed ${seed}`);
  const start = performance.now();
  const { decoded, foreign, malformed } = await fuzzNetlink(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `netlink: ${decoded} decoded, ${foreign} not the decoder's, ${malformed} malformed, ${seconds} s`,
  );
}
