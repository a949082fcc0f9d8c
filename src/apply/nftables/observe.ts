/** Reads our table back. Changes nothing. */
import { decodeChain, dumpChains } from "../../kernel/nftables/chain.ts";
import { decodeElements, dumpElements } from "../../kernel/nftables/element.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject, NftSet, Rule, TableName } from "../../kernel/nftables/objects.ts";
import { decodeRule, dumpRules } from "../../kernel/nftables/rule.ts";
import { decodeSet, dumpSets } from "../../kernel/nftables/set.ts";
import { decodeTable, dumpTables } from "../../kernel/nftables/table.ts";
import { addressFromBytes, type IpAddress } from "../../net/address.ts";
import { KernelError } from "../../netlink/errors.ts";
import type { Message, Request } from "../../netlink/request.ts";
import { groupBy } from "./group.ts";
import {
  type Destination,
  type Door,
  destinationsIn,
  doorsIn,
  type Proof,
  proofsIn,
} from "./learned.ts";
import { LIMITED, OWNER, SOURCES } from "./names.ts";
import { tableNamed } from "./ruleset.ts";

export interface Dumper {
  dump(request: Request): Promise<Message[]>;
}

export type ObservedRuleset =
  | { readonly kind: "absent" }
  /** A table of this name that we did not make. */
  | { readonly kind: "foreign" }
  | {
      readonly kind: "ours";
      readonly objects: readonly NftObject[];
      readonly proofs: readonly Proof[];
      readonly doors: readonly Door[];
      readonly destinations: readonly Destination[];
    };

/** Looks that are begun anew because somebody takes away what is being read. */
const LOOKS = 3;

/** Rejects with KernelError or MalformedMessage. */
export async function observeRuleset(kernel: Dumper, name: string): Promise<ObservedRuleset> {
  for (let look = 1; ; look++) {
    try {
      return await lookOnce(kernel, name);
    } catch (error) {
      // A set, or the whole table, went after it was listed.
      const gone = error instanceof KernelError && error.code === "ENOENT";
      if (!gone || look === LOOKS) throw error;
    }
  }
}

async function lookOnce(kernel: Dumper, name: string): Promise<ObservedRuleset> {
  const named = tableNamed(name);
  const tables = await kernel.dump(dumpTables(named.family));
  const table = tables
    .map((message) => decodeTable(named.family, message))
    .find((decoded) => decoded?.name === name);
  if (table === undefined) return { kind: "absent" };
  if (table.comment?.startsWith(OWNER) !== true) return { kind: "foreign" };
  const sets = defined(await kernel.dump(dumpSets(named)), (m) => decodeSet(named, m));
  const objects: NftObject[] = [
    table,
    ...(await observeChains(kernel, named)),
    ...sets.map(withoutState),
  ];
  for (const set of sets) {
    // What rules add comes and goes by itself.
    if (set.dynamic) continue;
    for (const message of await kernel.dump(dumpElements(named, set.name))) {
      for (const element of decodeElements(named, message)) objects.push(element);
    }
  }
  return {
    kind: "ours",
    objects,
    proofs: proofsIn(objects),
    doors: doorsIn(objects),
    destinations: destinationsIn(objects),
  };
}

/** Strangers that the limits know, by address: milliseconds that it is still remembered. */
export interface ObservedLimits {
  /** Whatever sent something in the last seconds. */
  readonly sources: ReadonlyMap<IpAddress, number>;
  /** Above its rate a moment ago; {@link EVERYBODY}: all of them together. */
  readonly limited: ReadonlyMap<IpAddress, number>;
}

/** Of a ruleset that was just observed; what is in these sets comes and goes with the packets. */
export async function observeLimits(
  kernel: Dumper,
  name: string,
  objects: readonly NftObject[],
): Promise<ObservedLimits> {
  const named = tableNamed(name);
  const left = async (set: string): Promise<Map<IpAddress, number>> => {
    const found = new Map<IpAddress, number>();
    if (!objects.some((object) => object.kind === "set" && object.name === set)) return found;
    for (const message of await kernel.dump(dumpElements(named, set))) {
      for (const { key, expires, timeout } of decodeElements(named, message)) {
        const address = addressFromBytes(Buffer.from(key, "hex"));
        if (address !== undefined) found.set(address, expires ?? timeout);
      }
    }
    return found;
  };
  return { sources: await left(SOURCES), limited: await left(LIMITED) };
}

async function observeChains(kernel: Dumper, table: TableName): Promise<Chain[]> {
  const chains = defined(await kernel.dump(dumpChains(table)), (m) => decodeChain(table, m));
  const rules = defined(await kernel.dump(dumpRules(table)), (m) => decodeRule(table, m));
  const byChain = groupBy(rules, ({ chain }) => chain);
  return chains.map((chain) => ({
    ...chain,
    rules: (byChain.get(chain.name) ?? []).map(({ rule }) => ruleWithoutState(rule)),
  }));
}

function defined<T>(
  messages: readonly Message[],
  decode: (message: Message) => T | undefined,
): T[] {
  return messages.map(decode).filter((decoded) => decoded !== undefined);
}

/** Counts are no part of what we want. */
function withoutState(set: NftSet): NftSet {
  return { ...set, expressions: set.expressions.map(uncounted) };
}

function ruleWithoutState(rule: Rule): Rule {
  return { ...rule, expressions: rule.expressions.map(uncounted) };
}

function uncounted<E extends Expression>(expression: E): E {
  return expression.kind === "counter" ? { ...expression, packets: 0n, bytes: 0n } : expression;
}
