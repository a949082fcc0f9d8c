/**
 * Runs a packet through a ruleset as the kernel would, from its objects: for `explain`, which tells what
 * became of it, and for tests that take a million packets. What the kernel does not tell, how full a token
 * bucket is, the caller says.
 */
import {
  NF_INET_LOCAL_OUT,
  NF_INET_PRE_ROUTING,
  NFT_META_IIFNAME,
} from "../../kernel/nftables/constants.ts";
import type { Hex } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { CmpOperator } from "../../kernel/nftables/expressions/cmp.ts";
import type { Limit } from "../../kernel/nftables/expressions/limit.ts";
import type { Chain, Element, NftObject, NftSet } from "../../kernel/nftables/objects.ts";
import { hexInterface } from "./fields.ts";

export type Fate = "accept" | "drop" | "queue";

/** Headers and payload in hexadecimal, as registers and sets hold them. */
export interface MachinePacket {
  readonly network: Hex;
  readonly transport: Hex;
  /** Interface it came by. */
  readonly device: string;
}

/** What happens to the packet, in order. */
export type MachineEvent =
  | { readonly kind: "chain"; readonly name: string }
  | {
      readonly kind: "lookup";
      readonly set: string;
      readonly key: Hex;
      readonly element: Element | undefined;
    }
  | {
      readonly kind: "limit";
      readonly chain: string;
      /** Where each element of a set has its own bucket. */
      readonly key: Hex | undefined;
      readonly limit: Limit;
      readonly over: boolean;
    }
  | { readonly kind: "queue"; readonly number: number }
  | { readonly kind: "accept" | "drop"; readonly chain: string }
  /** The bytes of a header are others from here on. */
  | { readonly kind: "write"; readonly packet: MachinePacket }
  /** Nobody of us makes such a rule: what comes of it can't be told. */
  | { readonly kind: "foreign"; readonly chain: string; readonly expression: string };

export interface MachineRun {
  /** undefined: a rule of somebody else decides. */
  readonly fate: Fate | undefined;
  /** As it leaves the chains. */
  readonly packet: MachinePacket;
}

export interface MachineOptions {
  /** Whether a token bucket is empty; `key` where each element of a set has its own. */
  readonly isOver?: (chain: string, key: Hex | undefined) => boolean;
}

/** What an expression says: go on, this rule does not match, or where the packet goes. */
type Step =
  | { readonly kind: "next" | "break" | "return" }
  | { readonly kind: "end"; readonly fate: Fate | undefined }
  | { readonly kind: "goto" | "jump"; readonly chain: string };

const NEXT: Step = { kind: "next" };
const BREAK: Step = { kind: "break" };
/** Bytes of a register's slot. */
const SLOT = 4;

/** One packet on its way. */
interface Way {
  packet: MachinePacket;
  readonly note: (event: MachineEvent) => void;
}

export class RulesMachine {
  readonly #chains = new Map<string, Chain>();
  readonly #sets = new Map<string, NftSet>();
  readonly #elements = new Map<string, Map<Hex, Element>>();
  readonly #isOver: (chain: string, key: Hex | undefined) => boolean;

  constructor(objects: readonly NftObject[], { isOver = () => false }: MachineOptions = {}) {
    this.#isOver = isOver;
    for (const object of objects) {
      if (object.kind === "chain") this.#chains.set(object.name, object);
      if (object.kind === "set") this.#sets.set(object.name, object);
      if (object.kind !== "element") continue;
      const elements = this.#elements.get(object.set) ?? new Map<Hex, Element>();
      this.#elements.set(object.set, elements.set(object.key, object));
    }
  }

  /** Through all chains of one hook: only what one accepts comes to the next. */
  run(
    hook: "in" | "out",
    packet: MachinePacket,
    note: (event: MachineEvent) => void = () => {},
  ): MachineRun {
    const number = hook === "in" ? NF_INET_PRE_ROUTING : NF_INET_LOCAL_OUT;
    const way: Way = { packet, note };
    const bases = [...this.#chains.values()]
      .filter(({ base }) => base?.hook === number)
      .sort((a, b) => (a.base?.priority ?? 0) - (b.base?.priority ?? 0));
    for (const chain of bases) {
      const end = this.#walk(chain, way);
      const fate = end === undefined ? chain.base?.policy : end.fate;
      if (fate !== "accept") return { fate, packet: way.packet };
    }
    return { fate: "accept", packet: way.packet };
  }

  /** undefined: it came to the end of the chain, or was sent back. */
  #walk(start: Chain, way: Way): { readonly fate: Fate | undefined } | undefined {
    let chain = start;
    way.note({ kind: "chain", name: chain.name });
    for (let i = 0; i < chain.rules.length; i++) {
      const step = this.#rule(chain, i, way);
      if (step.kind === "end") return step;
      if (step.kind === "return") return undefined;
      if (step.kind !== "jump" && step.kind !== "goto") continue;
      const next = this.#chains.get(step.chain);
      if (next === undefined) {
        // Chains and rules are two lists, between which somebody may change them.
        way.note({ kind: "foreign", chain: chain.name, expression: `${step.kind} ${step.chain}` });
        return { fate: undefined };
      }
      if (step.kind === "jump") {
        const end = this.#walk(next, way);
        if (end !== undefined) return end;
      } else {
        chain = next;
        way.note({ kind: "chain", name: chain.name });
        i = -1;
      }
    }
    return undefined;
  }

  #rule(chain: Chain, i: number, way: Way): Step {
    const slots: Hex[] = [];
    for (const expression of chain.rules[i]?.expressions ?? []) {
      const step = this.#evaluate(expression, slots, chain.name, way);
      if (step.kind !== "next") return step;
    }
    return NEXT;
  }

  #evaluate(expression: Expression, slots: Hex[], chain: string, way: Way): Step {
    const { note, packet } = way;
    switch (expression.kind) {
      case "payload": {
        const { base, offset, length, to } = expression;
        if (base === "link") break;
        const value = packet[base].slice(2 * offset, 2 * (offset + length));
        // nft_payload.c: what is not there makes the rule not match.
        if (value.length < 2 * length) return BREAK;
        slots[to] = value;
        return NEXT;
      }
      case "payload-write": {
        const { base, offset, length, from } = expression;
        if (base === "link") break;
        const bytes = packet[base];
        const value = (slots[from] ?? "").slice(0, 2 * length);
        const written = bytes.slice(0, 2 * offset) + value + bytes.slice(2 * (offset + length));
        way.packet = { ...packet, [base]: written };
        note({ kind: "write", packet: way.packet });
        return NEXT;
      }
      case "meta":
        if (expression.key !== NFT_META_IIFNAME) break;
        slots[expression.to] = hexInterface(packet.device);
        return NEXT;
      case "data":
        slots[expression.to] = expression.value;
        return NEXT;
      case "bitwise": {
        const [value, mask] = [slots[expression.from] ?? "", expression.mask].map((hex) =>
          Number.parseInt(hex, 16),
        );
        const masked = ((value ?? 0) & (mask ?? 0)) >>> 0;
        slots[expression.to] = masked.toString(16).padStart(expression.mask.length, "0");
        return NEXT;
      }
      case "cmp":
        return compare(slots[expression.from] ?? "", expression.operator, expression.value)
          ? NEXT
          : BREAK;
      case "range": {
        // Of one length, so that their order as texts is their order as numbers.
        const value = slots[expression.from] ?? "";
        const inside = expression.first <= value && value <= expression.last;
        return inside !== expression.invert ? NEXT : BREAK;
      }
      case "lookup": {
        const { set, from, to, invert } = expression;
        const key = this.#key(set, slots, from);
        const element = this.#elements.get(set)?.get(key);
        note({ kind: "lookup", set, key, element });
        if ((element === undefined) !== invert) return BREAK;
        if (to === "verdict") return verdict(element?.data, chain, note);
        if (to !== undefined && typeof element?.data === "string") slots[to] = element.data;
        return NEXT;
      }
      case "verdict":
        return verdict(expression.verdict, chain, note);
      case "limit": {
        const over = this.#isOver(chain, undefined);
        note({ kind: "limit", chain, key: undefined, limit: expression, over });
        return over === expression.over ? NEXT : BREAK;
      }
      case "dynset": {
        const [limit] = expression.expressions;
        if (limit?.kind !== "limit") return NEXT;
        const key = this.#key(expression.set, slots, expression.from);
        const over = this.#isOver(chain, key);
        note({ kind: "limit", chain, key, limit, over });
        return over === limit.over ? NEXT : BREAK;
      }
      // The mark is of the outer route look-up alone.
      case "meta-write":
      case "notrack":
      case "counter":
        return NEXT;
      case "queue":
        note({ kind: "queue", number: expression.number });
        return { kind: "end", fate: "queue" };
    }
    const name = expression.kind === "unknown" ? expression.name : expression.kind;
    note({ kind: "foreign", chain, expression: name });
    return { kind: "end", fate: undefined };
  }

  #key(name: string, slots: readonly Hex[], from: number): Hex {
    const fields = this.#sets.get(name)?.key ?? [];
    if (fields.length <= 1) return slots[from] ?? "";
    let slot = from;
    let key = "";
    for (const { bytes } of fields) {
      const many = Math.ceil(bytes / SLOT);
      key += (slots[slot] ?? "").padEnd(2 * SLOT * many, "0");
      slot += many;
    }
    return key;
  }
}

function compare(value: Hex, operator: CmpOperator, to: Hex): boolean {
  // Of one length, so that their order as texts is their order as numbers.
  switch (operator) {
    case "eq":
      return value === to;
    case "neq":
      return value !== to;
    case "lt":
      return value < to;
    case "lte":
      return value <= to;
    case "gt":
      return value > to;
    case "gte":
      return value >= to;
  }
}

function verdict(data: Element["data"], chain: string, note: Way["note"]): Step {
  if (data === undefined || typeof data === "string") {
    note({ kind: "foreign", chain, expression: "a map without verdicts" });
    return { kind: "end", fate: undefined };
  }
  switch (data.code) {
    case "accept":
    case "drop":
      note({ kind: data.code, chain });
      return { kind: "end", fate: data.code };
    case "continue":
      return BREAK;
    case "return":
      return { kind: "return" };
    default:
      return { kind: data.code, chain: data.chain };
  }
}
