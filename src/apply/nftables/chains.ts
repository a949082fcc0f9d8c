/** Chains and elements as all parts of the gate make them. */
import type { Data, Hex } from "../../kernel/nftables/data.ts";
import type { Chain, Element, Rule } from "../../kernel/nftables/objects.ts";

/** Before connection tracking (-200), after its defragmentation (-400) where there is one. */
export const PRIORITY = -310;

/** So many compares cost less than a look-up that misses. */
export const MOST_COMPARES = 3;

export const chain = (name: string, rules: readonly Rule[]): Chain => ({
  kind: "chain",
  name,
  base: undefined,
  comment: undefined,
  rules,
});

/** One without an end. */
export const lastingElement = (set: string, key: Hex, data?: Data): Element => ({
  kind: "element",
  set,
  key,
  data,
  timeout: 0,
  expires: undefined,
  counter: undefined,
});

export const verdictElement = (map: string, key: Hex, to: string): Element =>
  lastingElement(map, key, { code: "goto", chain: to });

/** The sets that rules of these expressions ask. */
export function setsIn(expressions: Rule["expressions"]): string[] {
  return expressions.flatMap((expression) => ("set" in expression ? [expression.set] : []));
}

export function setsOf({ rules }: Chain): string[] {
  return rules.flatMap(({ expressions }) => setsIn(expressions));
}
