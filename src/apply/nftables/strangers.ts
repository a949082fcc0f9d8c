/** What no peer's endpoint sent: as much of it as may be is looked at by the daemon. */
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain } from "../../kernel/nftables/objects.ts";
import type { Gate } from "../../plan/gate.ts";
import { chain } from "./chains.ts";
import { drop, goTo, hexAddress, ip, rule } from "./fields.ts";
import { rateLimit } from "./limits.ts";
import { EVERYBODY, LIMITED, OVER, SOURCES, STRANGERS } from "./names.ts";

export function strangersChain(gate: Gate): Chain {
  const { ratePerSource, rateTotal } = gate.queue;
  return chain(STRANGERS, [
    rule(
      [
        { kind: "payload", ...ip.source, to: 0 },
        // A full set does not match, so that then the total alone decides.
        {
          kind: "dynset",
          set: SOURCES,
          operation: "update",
          from: 0,
          timeout: 0,
          invert: false,
          expressions: [rateLimit(ratePerSource, true)],
        },
      ],
      goTo(OVER),
    ),
    rule([rateLimit(rateTotal, false)], queued(gate)),
    rule([{ kind: "payload", ...ip.source, to: 0 }, everybody, noteLimited]),
    rule(drop),
  ]);
}

/** In a chain of its own: a full set ends a rule, and must not end the drop. */
export function overChain(): Chain {
  return chain(OVER, [rule([{ kind: "payload", ...ip.source, to: 0 }, noteLimited]), rule(drop)]);
}

/** From an address; nft 1.0.6 can't read back its own listing of a constant here. */
const everybody: Expression = {
  ...{ kind: "bitwise", from: 0, to: 0 },
  ...{ mask: hexAddress(EVERYBODY), xor: hexAddress(EVERYBODY) },
};

const noteLimited: Expression = {
  ...{ kind: "dynset", set: LIMITED, operation: "update", from: 0, timeout: 0, invert: false },
  expressions: [],
};

/** Never with `bypass`: without a daemon nobody new gets in. */
export function queued({ queue }: Gate): Expression[] {
  return [{ kind: "queue", number: queue.number, bypass: false }];
}
