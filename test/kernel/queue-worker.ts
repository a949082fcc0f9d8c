/**
 * Inside a namespace whose `lo` sends UDP port 10000 to queue 5: tries the addon's queue against the
 * kernel and prints what happened as JSON, for queue.test.ts.
 */
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  type Burst,
  loadAddon,
  type PayloadPattern,
  type Queue,
  type SystemError,
} from "../../src/native/addon.ts";
import { eventually } from "../e2e/support/eventually.ts";

const NF_DROP = 0;
const NF_ACCEPT = 1;
const PORT = 10000;
const MAGIC = 0x4242;

const addon = loadAddon();
const options = { number: 5, maxLength: 256, copyRange: 512, receiveBuffer: 1 << 20 };
const patterns: readonly PayloadPattern[] = [
  {
    port: PORT,
    minLength: 4,
    maxLength: 100,
    tests: [{ offset: 0, width: 2, min: MAGIC, max: MAGIC }],
  },
];

function payload(number: number, magic = MAGIC, length = 4): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt16BE(magic, 0);
  bytes.writeUInt16BE(number, 2);
  return bytes;
}

const numberOf = (bytes: Buffer): number => bytes.readUInt16BE(2);

/** A socket that notes the numbers that reach it, and sends to itself. */
class Loop {
  readonly got: number[] = [];
  readonly #socket: Socket;
  readonly #address: string;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.#address = address;
    socket.on("message", (bytes) => this.got.push(numberOf(bytes)));
  }

  static async open(type: "udp4" | "udp6"): Promise<Loop> {
    const address = type === "udp4" ? "127.0.0.1" : "::1";
    const socket = createSocket(type).bind(PORT, address);
    await once(socket, "listening");
    return new Loop(socket, address);
  }

  send(bytes: Buffer): void {
    this.#socket.send(bytes, PORT, this.#address);
  }

  close(): void {
    this.#socket.close();
  }
}

function packetsOf({ ids, offsets, data }: Burst): { id: number; payload: Buffer }[] {
  return [...ids].map((id, i) => {
    const packet = data.subarray(offsets[i], offsets[i + 1]);
    return { id, payload: packet.subarray(packet.readUInt8(0) >> 4 === 6 ? 48 : 28) };
  });
}

/** Starts a queue that accepts what `accept` likes; notes the numbers seen and the errors. */
function serve(queue: Queue, accept: (number: number) => boolean) {
  const seen: number[] = [];
  const errors: string[] = [];
  queue.setPatterns(patterns);
  queue.start(
    (burst) => {
      const packets = packetsOf(burst);
      seen.push(...packets.map((packet) => numberOf(packet.payload)));
      const verdicts = packets.map((one) => (accept(numberOf(one.payload)) ? NF_ACCEPT : NF_DROP));
      queue.verdict(burst.ids, Uint8Array.from(verdicts));
    },
    (error) => errors.push(error.message),
  );
  return { seen, errors };
}

/** Columns of /proc/net/netfilter/nfnetlink_queue: nfnetlink_queue.c, seq_show. */
function queueState():
  | { waiting: number; mode: number; range: number; dropped: number }
  | undefined {
  const lines = readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8").trim().split("\n");
  const fields = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const [, , waiting = 0, mode = 0, range = 0, dropped = 0] =
    fields.find(([number]) => number === options.number) ?? [];
  return fields.some(([number]) => number === options.number)
    ? { waiting, mode, range, dropped }
    : undefined;
}

async function verdicts(family: "udp4" | "udp6") {
  const loop = await Loop.open(family);
  const queue = new addon.Queue(options);
  const state = queueState();
  const { seen, errors } = serve(queue, (number) => number % 2 === 1);
  for (let number = 0; number < 10; number++) {
    loop.send(payload(number));
    loop.send(payload(100 + number, MAGIC + 1));
  }
  loop.send(payload(200, MAGIC, 101)); // too long
  loop.send(payload(201, MAGIC, 700)); // cut by copyRange
  loop.send(payload(999));
  await eventually(() => loop.got.includes(999), { what: "the last packet" });
  const counters = queue.counters();
  const waiting = queueState()?.waiting;
  queue.close();
  loop.close();
  return { state, seen, errors, got: loop.got, counters, waiting, after: queueState() };
}

function failure(
  action: () => void,
): { message: string; code: string; syscall: string } | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    const { message, code, syscall } = error as SystemError;
    return { message, code, syscall };
  }
}

function exclusive() {
  const first = new addon.Queue(options);
  const refused = failure(() => new addon.Queue(options));
  const other = new addon.Queue({ ...options, number: 6 });
  other.close();
  first.close();
  const again = new addon.Queue(options);
  again.close();
  again.close();
  return { refused, closed: failure(() => again.verdict(Uint32Array.of(1), Uint8Array.of(0))) };
}

/** A verdict for a packet that isn't there, and verdicts that may not be. */
async function oddVerdicts() {
  const loop = await Loop.open("udp4");
  const queue = new addon.Queue(options);
  const { errors } = serve(queue, () => true);
  queue.verdict(Uint32Array.of(12345, 0xffffffff), Uint8Array.of(NF_ACCEPT, NF_DROP));
  queue.verdict(new Uint32Array(), new Uint8Array());
  const stolen = failure(() => queue.verdict(Uint32Array.of(1), Uint8Array.of(2)))?.message;
  loop.send(payload(1));
  await eventually(() => loop.got.length > 0, { what: "a packet" });
  queue.close();
  loop.close();
  return { errors, stolen };
}

/** A callback that closes in the midst of a flood of good packets, and one that throws. */
async function callbacks() {
  const loop = await Loop.open("udp4");
  const closing = new addon.Queue(options);
  closing.setPatterns(patterns);
  let bursts = 0;
  closing.start(
    () => {
      bursts++;
      closing.close();
    },
    () => {},
  );
  for (let number = 0; number < 200; number++) loop.send(payload(number));
  await eventually(() => bursts > 0, { what: "a burst" });

  const throwing = new addon.Queue(options);
  throwing.setPatterns(patterns);
  throwing.start(
    () => {
      throw new Error("from the callback");
    },
    () => {},
  );
  const uncaught = once(process, "uncaughtException");
  loop.send(payload(1));
  const [error] = (await uncaught) as [Error];
  throwing.close();
  loop.close();
  return { bursts, uncaught: error.message };
}

const junk = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", ${PORT}))
for _ in range(int(sys.argv[1])):
    try: s.send(b"junk" * 16)
    except OSError: pass
`;

/** Far more junk than the queue holds, while a timer wants its turn, and good packets in between. */
async function flood(count: number) {
  const loop = await Loop.open("udp4");
  const queue = new addon.Queue(options);
  const { seen, errors } = serve(queue, () => true);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks++;
    loop.send(payload(7));
  }, 5);
  const before = process.cpuUsage();
  const sender = spawn("python3", ["-c", junk, String(count)], { stdio: "inherit" });
  await once(sender, "close");
  clearInterval(timer);
  const ticksInFlood = ticks;
  await eventually(() => queueState()?.waiting === 0, { what: "an empty queue" });
  const { user, system } = process.cpuUsage(before);
  const seenInFlood = seen.length;
  loop.send(payload(8));
  await eventually(() => loop.got.includes(8), { what: "a packet after the flood" });
  const counters = queue.counters();
  const dropped = queueState()?.dropped ?? 0;
  queue.close();
  loop.close();
  const microseconds = (user + system) / counters.received;
  return { ticks: ticksInFlood, seen: seenInFlood, errors, counters, dropped, microseconds };
}

/** Nothing decides: the kernel keeps maxLength packets, drops the rest, and close lets all go. */
async function undecided() {
  const loop = await Loop.open("udp4");
  const queue = new addon.Queue({ ...options, maxLength: 16 });
  for (let number = 0; number < 50; number++) loop.send(payload(number));
  await eventually(() => (queueState()?.dropped ?? 0) + (queueState()?.waiting ?? 0) === 50, {
    what: "50 packets sent",
  });
  const state = queueState();
  queue.close();
  loop.close();
  return { waiting: state?.waiting, dropped: state?.dropped };
}

const report = {
  ipv4: await verdicts("udp4"),
  ipv6: await verdicts("udp6"),
  exclusive: exclusive(),
  oddVerdicts: await oddVerdicts(),
  callbacks: await callbacks(),
  flood: await flood(20_000),
  undecided: await undecided(),
};
export type Report = typeof report;
console.log(JSON.stringify(report));
