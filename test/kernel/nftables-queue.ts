/**
 * Runs inside a network namespace: takes the queue of the number given, drops all that comes, and prints
 * `open`, then the IPv4 identification of each packet, one a line.
 */
import { loadAddon } from "../../src/native/addon.ts";

const NF_DROP = 0;

const { Queue } = loadAddon();
const queue = new Queue({
  number: Number(process.argv[2]),
  maxLength: 10_000,
  copyRange: 256,
  receiveBuffer: 8 << 20,
});
queue.setPatterns(
  process.argv.slice(3).map((port) => ({
    port: Number(port),
    minLength: 0,
    maxLength: 65_535,
    tests: [],
  })),
);
queue.start(
  ({ ids, offsets, data }) => {
    queue.verdict(ids, new Uint8Array(ids.length).fill(NF_DROP));
    const seen = Array.from(ids, (_, i) => data.readUInt16BE((offsets[i] ?? 0) + 4));
    process.stdout.write(`${seen.join("\n")}\n`);
  },
  (error) => {
    throw error;
  },
);
process.stdout.write("open\n");
