/** Tunnels without UDP: bare protocol 4 from one address, with an inner source that is its peer's to use. */
import type { Chain, Element, NftObject } from "../../kernel/nftables/objects.ts";
import type { GatePlain } from "../../plan/gate.ts";
import { chain, verdictElement } from "./chains.ts";
import {
  ADDRESS,
  accept,
  bare,
  bypass,
  drop,
  hexAddress,
  isLaterFragment,
  rule,
  VERDICT,
  within,
} from "./fields.ts";
import { PLAIN, plainChain } from "./names.ts";
import { set } from "./sets.ts";

/** What all of them have in common. Without a size: one tunnel more shall not mean another set. */
export function plainMap(plain: readonly GatePlain[]): NftObject[] {
  return plain.length === 0 ? [] : [set(PLAIN, [ADDRESS, ADDRESS], { data: VERDICT })];
}

/** All that its peer's going elsewhere touches. */
export function plainObjects(tunnel: GatePlain): (Chain | Element)[] {
  const { name, local, remote, inner, conntrack } = tunnel;
  const letIn = [...bypass(conntrack), ...accept];
  const own = chain(
    plainChain(name),
    inner.some(({ length }) => length === 0)
      ? [rule(letIn)]
      : [
          // The first one is looked at, and without it the others come to nothing.
          rule(isLaterFragment, letIn),
          ...inner.map((prefix) => rule(within(bare.source, prefix), letIn)),
          rule(drop),
        ],
  );
  if (remote === undefined) return [own];
  return [own, verdictElement(PLAIN, hexAddress(remote) + hexAddress(local), plainChain(name))];
}
