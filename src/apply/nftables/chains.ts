/** Chains as all parts of the gate make them. */
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

export const verdictElement = (map: string, key: string, to: string): Element => ({
  kind: "element",
  set: map,
  key,
  data: { code: "goto", chain: to },
  timeout: 0,
  expires: undefined,
  counter: undefined,
});
