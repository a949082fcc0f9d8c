/**
 * Runs packets through our ruleset as the kernel would, from the objects that we send: for questions that
 * take a million packets. Buckets are never empty. The kernel tests show that the kernel agrees.
 */
import type { Expression } from "../../src/kernel/nftables/expression.ts";
import type { Chain, Element, NftObject, NftSet } from "../../src/kernel/nftables/objects.ts";

export type Fate = "accept" | "drop" | "queue";

/** Headers and payload in hexadecimal, as registers and sets hold them. */
export interface MachinePacket {
  readonly network: string;
  readonly transport: string;
  /** Interface it came by. */
  readonly device: string;
}

/** What an expression says: go on, this rule does not match, or where the packet goes. */
type Step =
  | { readonly kind: "next" | "break" | "return" }
  | { readonly kind: "end"; readonly fate: Fate }
  | { readonly kind: "goto" | "jump"; readonly chain: string };

const NEXT: Step = { kind: "next" };
const BREAK: Step = { kind: "break" };
const INTERFACE_BYTES = 16;
const SLOT_DIGITS = 8;

export class GateMachine {
  readonly #chains = new Map<string, Chain>();
  readonly #sets = new Map<string, NftSet>();
  readonly #elements = new Map<string, Map<string, Element>>();
  readonly #base: Chain;

  constructor(objects: readonly NftObject[]) {
    for (const object of objects) {
      if (object.kind === "chain") this.#chains.set(object.name, object);
      if (object.kind === "set") this.#sets.set(object.name, object);
      if (object.kind !== "element") continue;
      const elements = this.#elements.get(object.set) ?? new Map<string, Element>();
      this.#elements.set(object.set, elements.set(object.key, object));
    }
    this.#base = this.#chain("prerouting");
  }

  run(packet: MachinePacket): Fate {
    return this.#walk(this.#base, packet) ?? "accept";
  }

  #walk(start: Chain, packet: MachinePacket): Fate | undefined {
    let chain = start;
    for (let i = 0; i < chain.rules.length; i++) {
      const step = this.#rule(chain.rules[i]?.expressions ?? [], packet);
      if (step.kind === "end") return step.fate;
      if (step.kind === "return") return undefined;
      if (step.kind === "jump") {
        const fate = this.#walk(this.#chain(step.chain), packet);
        if (fate !== undefined) return fate;
      } else if (step.kind === "goto") {
        chain = this.#chain(step.chain);
        i = -1;
      }
    }
    return undefined;
  }

  #rule(expressions: readonly Expression[], packet: MachinePacket): Step {
    const slots: string[] = [];
    for (const expression of expressions) {
      const step = this.#evaluate(expression, slots, packet);
      if (step.kind !== "next") return step;
    }
    return NEXT;
  }

  #evaluate(expression: Expression, slots: string[], packet: MachinePacket): Step {
    switch (expression.kind) {
      case "payload": {
        const { base, offset, length, to } = expression;
        const bytes = base === "network" ? packet.network : packet.transport;
        const value = bytes.slice(2 * offset, 2 * (offset + length));
        // nft_payload.c: what is not there makes the rule not match.
        if (value.length < 2 * length) return BREAK;
        slots[to] = value;
        return NEXT;
      }
      case "meta":
        slots[expression.to] = Buffer.from(packet.device)
          .toString("hex")
          .padEnd(2 * INTERFACE_BYTES, "0");
        return NEXT;
      case "bitwise": {
        const [value, mask] = [slots[expression.from] ?? "", expression.mask].map((hex) =>
          Number.parseInt(hex, 16),
        );
        const masked = ((value ?? 0) & (mask ?? 0)) >>> 0;
        slots[expression.to] = masked.toString(16).padStart(expression.mask.length, "0");
        return NEXT;
      }
      case "cmp": {
        const value = slots[expression.from] ?? "";
        if (expression.operator !== "eq" && expression.operator !== "neq") break;
        return (value === expression.value) === (expression.operator === "eq") ? NEXT : BREAK;
      }
      case "range": {
        // Of one length, so that their order as texts is their order as numbers.
        const value = slots[expression.from] ?? "";
        const inside = expression.first <= value && value <= expression.last;
        return inside !== expression.invert ? NEXT : BREAK;
      }
      case "lookup": {
        const element = this.#elements.get(expression.set)?.get(this.#key(expression.set, slots));
        if ((element === undefined) !== expression.invert) return BREAK;
        return expression.to === "verdict" ? verdict(element?.data) : NEXT;
      }
      case "verdict":
        return verdict(expression.verdict);
      case "limit":
        return expression.over ? BREAK : NEXT;
      // Only ever updates a set of buckets, and matches where one is empty.
      case "dynset":
        return BREAK;
      case "notrack":
      case "counter":
        return NEXT;
      case "queue":
        return { kind: "end", fate: "queue" };
    }
    throw new TypeError(`no such expression on the way in: ${expression.kind}`);
  }

  #key(name: string, slots: readonly string[]): string {
    const fields = this.#sets.get(name)?.key ?? [];
    if (fields.length === 1) return slots[0] ?? "";
    let slot = 0;
    let key = "";
    for (const { bytes } of fields) {
      const digits = Math.ceil(bytes / 4) * SLOT_DIGITS;
      key += (slots[slot] ?? "").padEnd(digits, "0");
      slot += digits / SLOT_DIGITS;
    }
    return key;
  }

  #chain(name: string): Chain {
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new TypeError(`no chain ${name}`);
    return chain;
  }
}

function verdict(data: Element["data"]): Step {
  if (data === undefined || typeof data === "string") throw new TypeError("no verdict");
  switch (data.code) {
    case "accept":
    case "drop":
      return { kind: "end", fate: data.code };
    case "continue":
      return BREAK;
    case "return":
      return { kind: "return" };
    default:
      return { kind: data.code, chain: data.chain };
  }
}

/** UDP over IPv4; `payload` in hexadecimal. */
export function machinePacket(
  from: { readonly address: string; readonly port: number },
  to: { readonly address: string; readonly port: number },
  payload: string,
): MachinePacket {
  const address = (text: string): string =>
    Buffer.from(text.split(".").map(Number)).toString("hex");
  const number = (value: number): string => value.toString(16).padStart(4, "0");
  const length = payload.length / 2;
  const ports = number(from.port) + number(to.port);
  return {
    network: `4500${number(28 + length)}0000000040110000${address(from.address)}${address(to.address)}`,
    transport: `${ports}${number(8 + length)}0000${payload}`,
    device: "eth0",
  };
}
