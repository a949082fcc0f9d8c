/**
 * Mutated YAML and JSON through the whole of loading:
 *
 *     node dist/test/fuzz/config.js --count 100000 [--seed N]
 *
 * A configuration is taken or refused with ConfigurationError, each problem on one line, and quickly.
 * The input lies in a file while it is tried: where the process dies or hangs, it is found there.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfiguration } from "../../src/config/load.ts";
import { ConfigurationError } from "../../src/config/problems.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import { mutated, pick, type Random, random } from "../support/random.ts";

export interface FuzzResult {
  readonly taken: number;
  readonly refused: number;
  /** Milliseconds of the slowest input. */
  readonly slowest: number;
}

/** Inputs are a few kilobytes; what takes this long would be a hang with a few more. */
const patience = 2000;

const examples = fileURLToPath(new URL("../../../conf/", import.meta.url));

const key = "eQYNhD/Xwl6Zaq+z3QXDzNI77x8CEKqY1n5kt9bKeEI=";

/** The examples in conf/, and texts that use what they don't. */
function corpus(): Buffer[] {
  const texts = readdirSync(examples)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => readFileSync(join(examples, name), "utf8").replace(/#.*/g, ""));
  const whole = {
    tunnels: {
      t: {
        interface: "ipipou0",
        mtu: 1400,
        addresses: ["172.28.0.1/24", { local: "10.0.0.1", peer: "10.0.0.2" }],
        listen: "192.0.2.1:1@eth0",
        fwmark: "0x10",
        privateKey: key,
        peers: {
          a: { publicKey: key, secret: "s", allowedIPs: ["10.0.0.0/8"], replay: "off" },
          b: { endpoint: "a.example:1", token: "t", allowedIPs: ["10.1.0.0/16"], keepalive: "27s" },
        },
      },
    },
    queue: { number: 1, ratePerSource: "3/s" },
    log: { level: "debug" },
  };
  texts.push(
    JSON.stringify(whole),
    JSON.stringify(whole, null, 2),
    `%YAML 1.2\n---\ntunnels: &t\n  ? "t"\n  : { peers: { p: &p { token: !!str 12 }, q: *p } }\n...\n`,
    "tunnels:\n  t:\n    peers:\n      p:\n        token: |-\n          one\n          two\n        secret: >\n          x\n",
  );
  return texts.map((text) => Buffer.from(text));
}

/** What means something to YAML, JSON or us, put where it doesn't belong. */
const pieces = [
  ..."[]{}:,-?&*!|>'\"%@`#\\\n\t ~",
  ": ",
  "- ",
  "? ",
  "&a ",
  "*a",
  "!!str ",
  "<<: ",
  "---\n",
  "\n  ",
  "\r\n",
  "null",
  "true",
  "0x1",
  "1e999",
  ".nan",
  "__proto__",
  "constructor",
  "\u{feff}",
  "\u2028",
  "\\u0000",
  "\u0000",
  "[".repeat(2000),
  "- ".repeat(500),
  " ".repeat(500),
  "9".repeat(400),
  ...keysOf(jsonSchema()),
];

function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([name, inner]) =>
    name === "properties" ? [...Object.keys(Object(inner)), ...keysOf(inner)] : keysOf(inner),
  );
}

function makeInput(next: Random, texts: readonly Buffer[]): Buffer {
  let bytes = pick(next, texts);
  for (let count = next(4); count > 0; count--) {
    const at = next(bytes.length + 1);
    const end = at + (next(3) === 0 ? next(30) : 0);
    bytes = Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from(pick(next, pieces)),
      bytes.subarray(end),
    ]);
  }
  if (next(4) === 0) bytes = mutated(next, bytes);
  if (next(16) === 0) bytes = Buffer.concat([bytes, pick(next, texts)]);
  return bytes;
}

/** Throws at the first input that breaks a promise, naming it. */
export function fuzzConfig(count: number, seed: number): FuzzResult {
  const next = random(seed);
  const texts = corpus();
  const sums = { taken: 0, refused: 0, slowest: 0 };
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-fuzz-"));
  for (let i = 0; i < count; i++) {
    const input = makeInput(next, texts);
    const file = join(folder, next(2) === 0 ? "input.yaml" : "input.json");
    writeFileSync(file, input);
    const start = performance.now();
    try {
      loadConfiguration([file], { environment: {} });
      sums.taken++;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) {
        throw new Error(`input ${i} of seed ${seed}, kept as ${file}`, { cause: error });
      }
      checkLines(error, file);
      sums.refused++;
    }
    const took = performance.now() - start;
    assert.ok(took < patience, `input ${i} of seed ${seed} took ${took} ms, kept as ${file}`);
    sums.slowest = Math.max(sums.slowest, took);
  }
  rmSync(folder, { recursive: true });
  return sums;
}

function checkLines(error: ConfigurationError, file: string): void {
  const lines = error.message.split("\n");
  assert.equal(lines.length, error.problems.length + (error.more > 0 ? 1 : 0), error.message);
  for (const line of lines.slice(0, error.problems.length)) {
    assert.ok(line.startsWith(`${file}:`), line);
    assert.ok(!/\p{Cc}/u.test(line) && line.length < 2000, line);
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count);
  console.log(`config: ${count} texts, seed ${seed}`);
  const start = performance.now();
  const { taken, refused, slowest } = fuzzConfig(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `config: ${taken} taken, ${refused} refused, slowest ${slowest.toFixed(0)} ms, ${seconds} s`,
  );
}
