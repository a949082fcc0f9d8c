/**
 * Whether the kernel knows all that our rules are made of, asked without making any: a batch that lacks its
 * end is looked through and taken back. Of each kind of chain one, in a table of its own, hooked to nothing.
 */
import { newChain } from "../../kernel/nftables/chain.ts";
import { batchBegin } from "../../kernel/nftables/message.ts";
import type { Chain, NftObject } from "../../kernel/nftables/objects.ts";
import { newRule } from "../../kernel/nftables/rule.ts";
import { newSet } from "../../kernel/nftables/set.ts";
import { newTable } from "../../kernel/nftables/table.ts";
import type { KernelError } from "../../netlink/errors.ts";
import type { Request } from "../../netlink/request.ts";
import { setsIn, setsOf } from "./chains.ts";
import { lacksDefragmentation } from "./defragment.ts";
import { lackingExpression } from "./lacking.ts";
import type { NftChange } from "./nft-change.ts";
import { tableNamed } from "./ruleset.ts";

export interface Rehearser {
  rehearse(begin: Request, requests: readonly Request[]): Promise<(KernelError | undefined)[]>;
}

export interface Refusal {
  readonly message: string;
  readonly mend: string;
}

/** What the kernel has against these changes, each thing once; asks nothing where there are none. */
export async function rehearse(
  kernel: Rehearser,
  table: string,
  changes: readonly NftChange[],
): Promise<Refusal[]> {
  const requests = rehearsalOf(table, changes);
  const found = new Map<string, Refusal>();
  for (const error of await kernel.rehearse(batchBegin(), requests)) {
    if (error === undefined || lacksDefragmentation(error)) continue;
    const refusal = inWords(error);
    if (!found.has(refusal.mend)) found.set(refusal.mend, refusal);
  }
  return [...found.values()];
}

function inWords(error: KernelError): Refusal {
  const { operation, code } = error;
  return {
    // The rest of the operation names a table that nobody has.
    message: `the kernel refuses what our ruleset needs (${operation.split(" ")[0]}: ${code})`,
    mend: code === "ENOENT" ? lackingExpression(error) : LACKS,
  };
}

const LACKS = "load the modules of nf_tables: `modprobe -a nf_tables nft_queue nft_ct nft_limit`";

/** The messages of one batch: few, however many tunnels there are. */
export function rehearsalOf(name: string, changes: readonly NftChange[]): Request[] {
  const objects = changes.flatMap(({ action, object }) => (action === "remove" ? [] : [object]));
  const known = new Map(objects.map((object) => [keyOf(object), object]));
  const chosen = new Map<string, Chain>();
  const seen = new Set<string>();
  for (const object of objects) {
    if (object.kind !== "chain" || chosen.has(object.name)) continue;
    const kinds = object.rules.flatMap(({ expressions }) => expressions.map(({ kind }) => kind));
    const news = kinds.filter((kind) => !seen.has(kind));
    if (news.length === 0) continue;
    for (const kind of kinds) seen.add(kind);
    choose(object, known, chosen);
  }
  if (chosen.size === 0) return [];
  const chains = [...chosen.values()];
  const sets = new Set(chains.flatMap((chain) => setsOf(chain)));
  const table = tableNamed(`${name}-rehearsal`);
  return [
    newTable(table.family, { kind: "table", name: table.name, comment: undefined }),
    ...[...sets].flatMap((set) => {
      const object = known.get(`set ${set}`);
      return object?.kind === "set" ? [newSet(table, object)] : [];
    }),
    ...chains.map((chain) => newChain(table, { ...chain, base: undefined })),
    // What stands already, and is led to: its rules have been taken.
    ...elsewhere(chosen).map((name) => newChain(table, emptyChain(name))),
    ...chains.flatMap((chain) =>
      chain.rules
        .filter(({ expressions }) => setsIn(expressions).every((set) => known.has(`set ${set}`)))
        .map((rule) => newRule(table, chain.name, rule)),
    ),
  ];
}

const emptyChain = (name: string): Chain => ({
  ...{ kind: "chain", name, base: undefined, comment: undefined, rules: [] },
});

/** Chains that these lead to and that are not among them. */
function elsewhere(chosen: ReadonlyMap<string, Chain>): string[] {
  const targets = [...chosen.values()].flatMap(targetsOf);
  return [...new Set(targets)].filter((name) => !chosen.has(name));
}

function targetsOf({ rules }: Chain): string[] {
  return rules.flatMap(({ expressions }) =>
    expressions.flatMap((one) =>
      one.kind === "verdict" && "chain" in one.verdict ? [one.verdict.chain] : [],
    ),
  );
}

/** With all chains that it leads to: a jump into nowhere is refused. */
function choose(
  chain: Chain,
  known: ReadonlyMap<string, NftObject>,
  chosen: Map<string, Chain>,
): void {
  if (chosen.has(chain.name)) return;
  chosen.set(chain.name, chain);
  for (const name of targetsOf(chain)) {
    const target = known.get(`chain ${name}`);
    if (target?.kind === "chain") choose(target, known, chosen);
  }
}

function keyOf(object: NftObject): string {
  return object.kind === "element" ? `element ${object.set}` : `${object.kind} ${object.name}`;
}
