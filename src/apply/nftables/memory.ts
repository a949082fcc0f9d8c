/**
 * What we have written over, kept in our table: a chain for each parameter, which nothing leads to, and
 * in it a rule that only says so. Each is a chain of its own because one is forgotten after its value is
 * put back, and another remembered before its value is written.
 */
import type { Chain, NftObject } from "../../kernel/nftables/objects.ts";
import type { Remembered } from "../../plan/sysctls.ts";
import { chain } from "./chains.ts";
import { sysctlChain } from "./names.ts";

export function memoryObjects(remembered: readonly Remembered[]): Chain[] {
  return remembered.map(({ name, is, was }) =>
    chain(sysctlChain(name), [
      {
        expressions: [{ kind: "verdict", verdict: { code: "return" } }],
        comment: `${name} is ${is}, was ${was}`,
      },
    ]),
  );
}

/** The inverse; what is not in our words is not remembered. */
export function rememberedIn(objects: readonly NftObject[]): Remembered[] {
  return objects.flatMap((object) => {
    if (object.kind !== "chain" || !object.name.startsWith(sysctlChain(""))) return [];
    const [, name, is, was] =
      /^(net\/ipv4\/[!-~]+) is ([0-9]{1,3}), was ([0-9]{1,3})$/.exec(
        object.rules[0]?.comment ?? "",
      ) ?? [];
    if (name === undefined || is === undefined || was === undefined) return [];
    return sysctlChain(name) === object.name ? [{ name, is, was }] : [];
  });
}
