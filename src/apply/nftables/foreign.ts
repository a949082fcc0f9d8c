/** Other people's tables, as far as packets for our ports pass them. Changes nothing. */
import { decodeChain, dumpChains } from "../../kernel/nftables/chain.ts";
import {
  NF_INET_LOCAL_IN,
  NF_INET_PRE_ROUTING,
  NFPROTO_INET,
  NFPROTO_IPV4,
} from "../../kernel/nftables/constants.ts";
import { type Bound, decodeBounds, dumpElements } from "../../kernel/nftables/element.ts";
import type { Chain, NftSet, TableName } from "../../kernel/nftables/objects.ts";
import { decodeRule, dumpRules } from "../../kernel/nftables/rule.ts";
import { decodeSet, dumpSets, holdsIntervals } from "../../kernel/nftables/set.ts";
import { decodeTable, dumpTables } from "../../kernel/nftables/table.ts";
import { MalformedMessage } from "../../netlink/attributes.ts";
import { KernelError } from "../../netlink/errors.ts";
import { groupBy } from "./group.ts";
import { OWNER } from "./names.ts";
import type { Dumper } from "./observe.ts";

export interface FirewallTable {
  readonly family: "ip" | "inet";
  readonly name: string;
  readonly chains: readonly Chain[];
  /** All rules could be read; else nothing follows from those that could. */
  readonly whole: boolean;
  /** Those that could be read, by name: of ports, states and the like, not of addresses. */
  readonly sets: ReadonlyMap<string, FirewallSet>;
}

export interface FirewallSet {
  readonly intervals: boolean;
  readonly bounds: readonly Bound[];
}

const FAMILIES = { ip: NFPROTO_IPV4, inet: NFPROTO_INET } as const;

/** Tables with a base chain of type filter on the way in; undefined: we may not see them (CAP_NET_ADMIN). */
export async function observeFirewall(kernel: Dumper): Promise<FirewallTable[] | undefined> {
  const tables: FirewallTable[] = [];
  try {
    for (const family of ["ip", "inet"] as const) {
      const number = FAMILIES[family];
      for (const message of await kernel.dump(dumpTables(number))) {
        const { name, comment } = decodeTable(number, message) ?? {};
        if (name === undefined || comment?.startsWith(OWNER) === true) continue;
        const table = await observeTable(kernel, family, name);
        if (table.chains.some(isOnTheWay)) tables.push(table);
      }
    }
  } catch (error) {
    if (error instanceof KernelError && error.code === "EPERM") return undefined;
    throw error;
  }
  return tables;
}

export function isOnTheWay({ base }: Chain): boolean {
  if (base === undefined || base.type !== "filter") return false;
  return base.hook === NF_INET_LOCAL_IN || base.hook === NF_INET_PRE_ROUTING;
}

async function observeTable(
  kernel: Dumper,
  family: FirewallTable["family"],
  name: string,
): Promise<FirewallTable> {
  const named: TableName = { family: FAMILIES[family], name };
  const chains = (await kernel.dump(dumpChains(named))).flatMap((m) => decodeChain(named, m) ?? []);
  if (!chains.some(isOnTheWay)) {
    return { family, name, chains, whole: true, sets: new Map() };
  }
  const messages = await kernel.dump(dumpRules(named));
  const rules = messages.flatMap((m) => orUnknown(() => decodeRule(named, m)) ?? []);
  const byChain = groupBy(rules, ({ chain }) => chain);
  const sets = new Map<string, FirewallSet>();
  for (const message of await kernel.dump(dumpSets(named))) {
    const set = orUnknown(() => decodeSet(named, message));
    if (set === undefined || !isSmall(set)) continue;
    const bounds = await readBounds(kernel, named, set.name);
    if (bounds !== undefined) sets.set(set.name, { intervals: holdsIntervals(message), bounds });
  }
  return {
    family,
    name,
    chains: chains.map((chain) => ({
      ...chain,
      rules: (byChain.get(chain.name) ?? []).map(({ rule }) => rule),
    })),
    whole: rules.length === messages.length,
    sets,
  };
}

/** Sets of addresses may be huge, and of a stranger's nothing follows; several fields nobody has for ports. */
function isSmall({ key }: NftSet): boolean {
  const [only, ...more] = key;
  return only !== undefined && more.length === 0 && only.bytes <= 4 && only.type !== "ipv4_addr";
}

async function readBounds(
  kernel: Dumper,
  table: TableName,
  set: string,
): Promise<Bound[] | undefined> {
  const bounds: Bound[] = [];
  for (const message of await kernel.dump(dumpElements(table, set))) {
    const some = orUnknown(() => decodeBounds(table, message));
    if (some === undefined) return undefined;
    bounds.push(...some);
  }
  return bounds;
}

function orUnknown<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}
