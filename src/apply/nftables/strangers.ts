/**
 * What no peer's endpoint sent: as much of it as may be is looked at by the daemon. Whoever floods can write
 * any address, so no limit is the last word on one that a peer may come from:
 *
 * - Who comes back soon has a share of the total that a flood from ever new addresses can't use up.
 * - Above the rate of its address the port counts, too: a flood in a client's name, or of its neighbour
 *   behind the same NAT, leaves the client its own, and that has a share of the total as well.
 * - Above the rate of its port a little is looked at all the same.
 */
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject } from "../../kernel/nftables/objects.ts";
import type { Gate } from "../../plan/gate.ts";
import { chain } from "./chains.ts";
import {
  drop,
  goTo,
  hexAddress,
  inSet,
  ip,
  PROTOCOL_UDP,
  packetKey,
  protocolIs,
  rule,
  udp,
} from "./fields.ts";
import { rateLimit } from "./limits.ts";
import {
  EVERYBODY,
  LIMITED,
  NEWCOMERS,
  OVER,
  PLACES,
  RETURNING,
  SEEN,
  SOURCES,
  STRANGERS,
} from "./names.ts";
import { limitedSet, placesSet, seenSet, sourcesSet } from "./sets.ts";

/** Parts of the total, which make up the whole. */
const FOR_RETURNING = 1 / 4;
const FOR_CROWDED = 1 / 5;
const FOR_OVERCROWDED = 1 / 20;
const FOR_EVERYBODY = 1 / 2;

const SOURCE = packetKey(ip.source);
const PLACE = packetKey(ip.source, udp.sourcePort);
const isUdp = protocolIs(PROTOCOL_UDP);

/** Chains stand behind those that they go to. */
export function strangers(gate: Gate): NftObject[] {
  return [
    ...[sourcesSet(), seenSet(), placesSet(), limitedSet()],
    ...[over(gate), newcomers(gate), returning(gate), first(gate)],
  ];
}

function first({ queue }: Gate): Chain {
  const limits = [rateLimit(queue.ratePerSource, true)];
  return chain(STRANGERS, [
    // A full set does not match, so that then the total alone decides.
    rule(
      SOURCE.loads,
      [{ ...byRules(SOURCES), operation: "update", expressions: limits }],
      goTo(OVER),
    ),
    rule(inSet(SEEN, SOURCE), goTo(RETURNING)),
    rule(SOURCE.loads, [{ ...byRules(SEEN), operation: "add", expressions: [] }]),
    rule(goTo(NEWCOMERS)),
  ]);
}

function returning(gate: Gate): Chain {
  return chain(RETURNING, [rule(share(gate, FOR_RETURNING), queued(gate)), rule(goTo(NEWCOMERS))]);
}

function newcomers(gate: Gate): Chain {
  return chain(NEWCOMERS, [
    rule(share(gate, FOR_EVERYBODY), queued(gate)),
    rule(SOURCE.loads, [everybody, noteLimited]),
    rule(drop),
  ]);
}

/** In a chain of its own: a full set ends a rule, and must not end the drop. */
function over(gate: Gate): Chain {
  const limits = [rateLimit(gate.queue.ratePerSource, false)];
  return chain(OVER, [
    // A look-up asks the limit, too (nft_lookup.c): whoever is there and below its rate.
    rule(isUdp, inSet(PLACES, PLACE), share(gate, FOR_CROWDED), queued(gate)),
    rule(isUdp, PLACE.loads, [{ ...byRules(PLACES), operation: "add", expressions: limits }]),
    rule(share(gate, FOR_OVERCROWDED), queued(gate)),
    rule(SOURCE.loads, [noteLimited]),
    rule(drop),
  ]);
}

function share({ queue }: Gate, part: number): Expression[] {
  return [rateLimit(queue.rateTotal * part, false)];
}

function byRules(set: string) {
  return { kind: "dynset", set, from: 0, timeout: 0, invert: false } as const;
}

/** From an address; nft 1.0.6 can't read back its own listing of a constant here. */
const everybody: Expression = {
  ...{ kind: "bitwise", from: 0, to: 0 },
  ...{ mask: hexAddress(EVERYBODY), xor: hexAddress(EVERYBODY) },
};

const noteLimited: Expression = { ...byRules(LIMITED), operation: "update", expressions: [] };

/** Never with `bypass`: without a daemon nobody new gets in. */
export function queued({ queue }: Pick<Gate, "queue">): Expression[] {
  return [{ kind: "queue", number: queue.number, bypass: false }];
}
