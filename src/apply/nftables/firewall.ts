/**
 * What becomes of a packet in other people's chains, as far as it follows from what we know of the packet.
 * Pure. Three answers: nothing is said of a packet whose fate depends on what we don't know.
 */
import {
  NFT_CT_STATE,
  NFT_META_IIF,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_NFPROTO,
  NFT_META_PROTOCOL,
} from "../../kernel/nftables/constants.ts";
import type { Data, Verdict } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { CmpOperator } from "../../kernel/nftables/expressions/cmp.ts";
import type { Lookup } from "../../kernel/nftables/expressions/lookup.ts";
import type { PayloadLoad } from "../../kernel/nftables/expressions/payload.ts";
import type { Chain, Rule } from "../../kernel/nftables/objects.ts";
import { u32Bytes } from "../../kernel/rtnetlink.ts";
import { addressBytes, type Endpoint, type IpAddress } from "../../net/address.ts";
import { type FirewallSet, type FirewallTable, isOnTheWay } from "./foreign.ts";

/** A UDP packet for one of our ports. */
export interface Arriving {
  /** Of this and of what follows: undefined: not known. */
  readonly device: string | undefined;
  readonly index: number | undefined;
  readonly local: IpAddress | undefined;
  readonly port: number;
  readonly from: Endpoint | undefined;
  /** What connection tracking says of it. */
  readonly state: keyof typeof STATES;
}

export type Fate = "accepted" | "dropped" | "unknown";

/** enum ip_conntrack_info as nft_ct.c's bits (NF_CT_STATE_BIT), in the host's byte order. */
const STATES = { established: 0x02, new: 0x08, untracked: 0x40 } as const;

const IPPROTO_UDP = 17;
const ETH_P_IP = "0800";
/** More than the kernel allows: NFT_JUMP_STACK_SIZE. */
const DEEPEST = 16;

type Outcome = "accept" | "drop" | "continue";

/** In all chains of the table that see it on its way in. */
export function fateIn(table: FirewallTable, packet: Arriving): Fate {
  const fates = table.chains.filter(isOnTheWay).map((chain) => fateAt(table, chain, packet));
  if (fates.includes("dropped")) return "dropped";
  return table.whole && !fates.includes("unknown") ? "accepted" : "unknown";
}

function fateAt(table: FirewallTable, chain: Chain, packet: Arriving): Fate {
  if (!table.whole) return "unknown";
  const outcomes = run(table, chain, packet, 0);
  if (outcomes.delete("continue")) outcomes.add(chain.base?.policy ?? "accept");
  if (outcomes.size !== 1) return "unknown";
  return outcomes.has("drop") ? "dropped" : "accepted";
}

/** Every way that a packet may take through a chain. */
function run(
  table: FirewallTable,
  chain: Chain | undefined,
  packet: Arriving,
  depth: number,
): Set<Outcome> {
  if (chain === undefined || depth > DEEPEST) return new Set(["accept", "drop", "continue"]);
  const possible = new Set<Outcome>();
  for (const rule of chain.rules) {
    for (const { verdict, sure } of verdictsOf(table, rule, packet)) {
      const leads = follow(table, verdict, packet, depth);
      for (const outcome of leads.outcomes) if (outcome !== "continue") possible.add(outcome);
      const ends = !leads.outcomes.has("continue");
      if (sure && (ends || leads.leaves)) {
        if (!ends) possible.add("continue");
        return possible;
      }
      if (leads.leaves && !ends) possible.add("continue");
    }
  }
  return possible.add("continue");
}

/** `leaves`: what continues does so behind this chain. */
function follow(
  table: FirewallTable,
  verdict: Verdict | "any",
  packet: Arriving,
  depth: number,
): { readonly outcomes: Set<Outcome>; readonly leaves: boolean } {
  if (verdict === "any") return { outcomes: new Set(["accept", "drop"]), leaves: false };
  switch (verdict.code) {
    case "accept":
    case "drop":
      return { outcomes: new Set([verdict.code]), leaves: false };
    case "return":
      return { outcomes: new Set(["continue"]), leaves: true };
    case "continue":
      return { outcomes: new Set(["continue"]), leaves: false };
    case "jump":
    case "goto": {
      const target = table.chains.find(({ name }) => name === verdict.chain);
      return { outcomes: run(table, target, packet, depth + 1), leaves: verdict.code === "goto" };
    }
  }
}

interface Possible {
  readonly verdict: Verdict | "any";
  /** The rule matches for certain. */
  readonly sure: boolean;
}

/** By slot: bytes of a value that begins there; undefined: not known. */
type Registers = Map<number, Buffer | undefined>;

function verdictsOf(table: FirewallTable, { expressions }: Rule, packet: Arriving): Possible[] {
  const registers: Registers = new Map();
  let sure = true;
  for (const expression of expressions) {
    const verdict = verdictIn(expression);
    if (verdict !== undefined) return [{ verdict, sure }];
    if (expression.kind === "lookup" && expression.to === "verdict") {
      const found = lookUp(table.sets.get(expression.set), expression, registers);
      if (found === "unknown") return [{ verdict: "any", sure: false }];
      if (found === undefined) return [];
      return typeof found === "object" ? [{ verdict: found, sure }] : [];
    }
    const matches = step(table, expression, registers, packet);
    if (matches === false) return [];
    if (matches === undefined) sure = false;
  }
  return [];
}

/** What ends a rule; "any": it may go on elsewhere, in user space. */
function verdictIn(expression: Expression): Verdict | "any" | undefined {
  if (expression.kind === "verdict") return expression.verdict;
  if (expression.kind === "queue") return "any";
  if (expression.kind !== "unknown") return undefined;
  if (expression.name === "reject") return { code: "drop" };
  return expression.name === "target" ? "any" : undefined;
}

/** Whether it lets the rule go on; undefined: that depends. */
function step(
  table: FirewallTable,
  expression: Expression,
  registers: Registers,
  packet: Arriving,
): boolean | undefined {
  switch (expression.kind) {
    case "meta":
      registers.set(expression.to, metaOf(expression.key, packet));
      return true;
    case "ct":
      registers.set(expression.to, expression.key === NFT_CT_STATE ? stateOf(packet) : undefined);
      return true;
    case "payload":
      registers.set(expression.to, payloadOf(expression, packet));
      return true;
    case "data":
      registers.set(expression.to, Buffer.from(expression.value, "hex"));
      return true;
    case "bitwise": {
      const { from, to, mask, xor } = expression;
      const value = registers.get(from);
      const [and, flip] = [Buffer.from(mask, "hex"), Buffer.from(xor, "hex")];
      const bits = value && and.map((one, i) => (one & (value[i] ?? 0)) ^ (flip[i] ?? 0));
      registers.set(to, bits && Buffer.from(bits));
      return true;
    }
    case "cmp": {
      const order = compare(registers.get(expression.from), expression.value);
      return order === undefined ? undefined : OPERATORS[expression.operator](order);
    }
    case "range": {
      const value = registers.get(expression.from);
      const [first, last] = [compare(value, expression.first), compare(value, expression.last)];
      if (first === undefined || last === undefined) return undefined;
      return (first >= 0 && last <= 0) !== expression.invert;
    }
    case "lookup": {
      const found = lookUp(table.sets.get(expression.set), expression, registers);
      if (expression.to !== undefined && expression.to !== "verdict") {
        const known = typeof found === "string" && found !== "unknown" && found !== "member";
        registers.set(expression.to, known ? Buffer.from(found, "hex") : undefined);
      }
      if (found === "unknown") return undefined;
      return (found !== undefined) !== expression.invert;
    }
    case "limit":
    case "dynset":
      return undefined;
    case "unknown":
      return stepOver(expression.name, registers);
    default:
      return true;
  }
}

/** Those that let every packet go on and write no register. */
const HARMLESS: ReadonlySet<string> = new Set(["log", "notrack", "last", "dup", "ct", "meta"]);

function stepOver(name: string, registers: Registers): boolean | undefined {
  if (HARMLESS.has(name)) return true;
  // It may have written to any, and may have ended the rule.
  registers.clear();
  return undefined;
}

function metaOf(key: number, { device, index }: Arriving): Buffer | undefined {
  switch (key) {
    case NFT_META_L4PROTO:
      return Buffer.from([IPPROTO_UDP]);
    case NFT_META_NFPROTO:
      return Buffer.from([2]);
    case NFT_META_PROTOCOL:
      return Buffer.from(ETH_P_IP, "hex");
    case NFT_META_IIF:
      return index === undefined ? undefined : u32Bytes(index);
    case NFT_META_IIFNAME: {
      if (device === undefined) return undefined;
      const name = Buffer.alloc(16);
      name.write(device);
      return name;
    }
    default:
      return undefined;
  }
}

function stateOf({ state }: Arriving): Buffer {
  return u32Bytes(STATES[state]);
}

/** Offsets in the IPv4 and UDP headers: RFC 791, RFC 768. */
function payloadOf({ base, offset, length }: PayloadLoad, packet: Arriving): Buffer | undefined {
  const known = new Map<number, Buffer>();
  if (base === "network") {
    known.set(9, Buffer.from([IPPROTO_UDP]));
    if (packet.from !== undefined) known.set(12, addressBytes(packet.from.address));
    if (packet.local !== undefined) known.set(16, addressBytes(packet.local));
  } else if (base === "transport") {
    if (packet.from !== undefined) known.set(0, port(packet.from.port));
    known.set(2, port(packet.port));
  }
  const bytes: number[] = [];
  for (let at = offset; at < offset + length; at++) {
    const of = [...known].find(([start, its]) => at >= start && at < start + its.length);
    const byte = of?.[1][at - of[0]];
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

function port(number: number): Buffer {
  return Buffer.from([number >> 8, number & 0xff]);
}

const OPERATORS: Readonly<Record<CmpOperator, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  neq: (order) => order !== 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
};

/** As the kernel compares: so many bytes as the constant has. */
function compare(value: Buffer | undefined, hex: string): number | undefined {
  const constant = Buffer.from(hex, "hex");
  if (value === undefined || value.length < constant.length) return undefined;
  return Buffer.compare(value.subarray(0, constant.length), constant);
}

/** A map's data, "member" of a set; undefined: it is not in there. */
function lookUp(
  set: FirewallSet | undefined,
  { from }: Lookup,
  registers: Registers,
): Data | "member" | "unknown" | undefined {
  const value = registers.get(from);
  const length = set?.bounds.find(({ key }) => key !== undefined)?.key?.length;
  if (set === undefined || value === undefined) return "unknown";
  const rest = set.bounds.find(({ key }) => key === undefined);
  const bound = length === undefined ? undefined : boundOf(set, value, length / 2);
  if (bound === "unknown") return "unknown";
  const found = bound ?? rest;
  return found === undefined ? undefined : (found.data ?? "member");
}

function boundOf({ intervals, bounds }: FirewallSet, value: Buffer, bytes: number) {
  if (value.length < bytes) return "unknown";
  const key = value.subarray(0, bytes).toString("hex");
  if (!intervals) return bounds.find((bound) => bound.key === key);
  // The last bound that is not behind the value; where it is an end, the value lies between two intervals.
  let last: FirewallSet["bounds"][number] | undefined;
  for (const bound of bounds) {
    if (bound.key === undefined || bound.key > key) continue;
    // An interval may begin where another ends.
    const later = last?.key === undefined || bound.key > last.key;
    if (later || (bound.key === last?.key && !bound.ends)) last = bound;
  }
  return last?.ends === false ? last : undefined;
}
