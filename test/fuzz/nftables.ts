/**
 * Random and mutated messages through every decoder of nf_tables, and what came out through all that reads
 * an observed ruleset. Mutations start from the golden files and from requests of our own.
 *
 *     node dist/test/fuzz/nftables.js --count 1000000 [--seed N]
 *
 * A decoder may throw MalformedMessage and nothing else; what reads a ruleset may throw nothing.
 */
import assert from "node:assert/strict";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { diffRuleset } from "../../src/apply/nftables/diff.ts";
import { destinationsIn, doorsIn, proofsIn } from "../../src/apply/nftables/learned.ts";
import { batches } from "../../src/apply/nftables/requests.ts";
import { ruleset } from "../../src/apply/nftables/ruleset.ts";
import { decodeChain } from "../../src/kernel/nftables/chain.ts";
import { NFPROTO_IPV4 } from "../../src/kernel/nftables/constants.ts";
import { decodeElements } from "../../src/kernel/nftables/element.ts";
import { decodeGeneration } from "../../src/kernel/nftables/message.ts";
import type { NftObject } from "../../src/kernel/nftables/objects.ts";
import { decodeRule } from "../../src/kernel/nftables/rule.ts";
import { decodeSet } from "../../src/kernel/nftables/set.ts";
import { decodeTable } from "../../src/kernel/nftables/table.ts";
import { MalformedMessage } from "../../src/netlink/attributes.ts";
import type { Message } from "../../src/netlink/request.ts";
import { golden } from "../support/golden.ts";
import { mutated, pick, type Random, random, randomBytes } from "../support/random.ts";
import { goldenGate } from "../unit/apply/nftables/gates.ts";

export interface FuzzResult {
  readonly decoded: number;
  readonly foreign: number;
  readonly malformed: number;
}

const TABLE = { family: NFPROTO_IPV4, name: "ipipou" };

const decoders: Readonly<Record<string, (message: Message) => readonly NftObject[] | undefined>> = {
  table: (message) => optional(decodeTable(NFPROTO_IPV4, message)),
  chain: (message) => optional(decodeChain(TABLE, message)),
  set: (message) => optional(decodeSet(TABLE, message)),
  elements: (message) => {
    const elements = decodeElements(TABLE, message);
    return elements.length === 0 ? undefined : elements;
  },
  rule: (message) => {
    const decoded = decodeRule(TABLE, message);
    if (decoded === undefined) return undefined;
    const { chain: name, rule } = decoded;
    return [{ kind: "chain", name, base: undefined, comment: undefined, rules: [rule] }];
  },
  generation: (message) => (decodeGeneration(message) === undefined ? undefined : []),
};

function optional(object: NftObject | undefined): NftObject[] | undefined {
  return object === undefined ? undefined : [object];
}

function corpus(): Message[] {
  const ours = batches(diffRuleset(TABLE.name, ruleset(goldenGate()), [])).flat();
  const requests = ours.map(
    ({ type, flags, payload }): Message => ({
      type,
      flags,
      sequence: 1,
      payload: Buffer.from(payload),
    }),
  );
  return [...requests, ...golden("nft-list")];
}

function make(next: Random, messages: readonly Message[]): Message {
  const message = pick(next, messages);
  switch (next(10)) {
    case 0:
      return message;
    case 1:
      return { ...message, payload: randomBytes(next, next(200)) };
    case 2:
      return { ...message, type: (10 << 8) | next(20) };
    default:
      return { ...message, payload: mutated(next, message.payload) };
  }
}

/** Throws at the first message that breaks a promise, naming it. */
export function fuzzNftables(count: number, seed: number): FuzzResult {
  const next = random(seed);
  const messages = corpus();
  assert.ok(messages.length > 100, "no corpus");
  const wanted = ruleset(goldenGate());
  const result = { decoded: 0, foreign: 0, malformed: 0 };
  let observed: NftObject[] = [];
  for (let i = 0; i < count; i++) {
    const message = make(next, messages);
    try {
      for (const decode of Object.values(decoders)) {
        try {
          const objects = decode(message);
          if (objects === undefined) result.foreign++;
          else result.decoded++;
          observed.push(...(objects ?? []));
        } catch (error) {
          if (!(error instanceof MalformedMessage)) throw error;
          result.malformed++;
        }
      }
      if (observed.length > 100) {
        proofsIn(observed);
        doorsIn(observed);
        destinationsIn(observed);
        batches(diffRuleset(TABLE.name, wanted, observed));
        observed = [];
      }
    } catch (error) {
      const hex = message.payload.toString("hex");
      throw new Error(`message ${i} of seed ${seed}: type ${message.type} ${hex}`, {
        cause: error,
      });
    }
  }
  return result;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count);
  console.log(`nftables: ${count} messages, seed ${seed}`);
  const start = performance.now();
  const { decoded, foreign, malformed } = fuzzNftables(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `nftables: ${decoded} decoded, ${foreign} not the decoder's, ${malformed} malformed, ${seconds} s`,
  );
}
