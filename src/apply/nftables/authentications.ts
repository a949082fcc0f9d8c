/**
 * What comes to a tunnel's port and is no accepted data: what may be a proof or an answer is looked at, by the
 * daemon, and all else is dropped.
 */
import { NFT_META_IIFNAME } from "../../kernel/nftables/constants.ts";
import { hexOf } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import type { AuthenticationLength, Gate, GateTunnel } from "../../plan/gate.ts";
import { chain, lastingElement } from "./chains.ts";
import {
  authenticationEpoch,
  between,
  bypass,
  drop,
  goTo,
  hexInterface,
  inSet,
  is,
  isFragment,
  rule,
  SENDER,
  UDP_HEADER,
  udp,
} from "./fields.ts";
import { rateLimit } from "./limits.ts";
import { authenticationChain, EPOCHS, endpointsSet, LONGER, STRANGERS, TUNNELS } from "./names.ts";
import { listens, tunnelsSet } from "./sets.ts";
import { queued, strangers } from "./strangers.ts";

/**
 * What is no accepted data. An authentication is known by its length alone: it is smaller than any
 * underlay's MTU, so it never is a fragment, and none comes out of a tunnel of ours.
 */
export function authenticationsOf(tunnel: GateTunnel, shared: SharedRules): Chain {
  return chain(authenticationChain(tunnel.name), [
    DROP_FROM_TUNNEL,
    DROP_FRAGMENT,
    ...tunnel.authentications.flatMap((one) => oneLength(tunnel, one, shared)),
    ...repliesOf(tunnel, shared),
    ...longerOf(tunnel),
    DROP,
  ]);
}

const DROP = rule(drop);
export const DROP_FRAGMENT = rule(isFragment, drop);
export const DROP_FROM_TUNNEL = rule(
  [
    { kind: "meta", key: NFT_META_IIFNAME, to: 0 },
    { kind: "lookup", set: TUNNELS, from: 0, to: undefined, invert: false },
  ],
  drop,
);

function oneLength(
  { name, conntrack }: GateTunnel,
  { payload, timed }: AuthenticationLength,
  shared: SharedRules,
): Rule[] {
  const known = inSet(endpointsSet(name), SENDER);
  return [
    rule(shared.length(payload), known, shared.look(conntrack)),
    shared.stranger(payload, timed, conntrack),
  ];
}

/** From a peer's endpoint, or from nobody. */
function repliesOf(
  { name, conntrack, authentications, replies }: GateTunnel,
  shared: SharedRules,
): Rule[] {
  const known = inSet(endpointsSet(name), SENDER);
  return replies
    .filter((length) => !authentications.some(({ payload }) => payload === length))
    .map((length) => rule(shared.length(length), known, shared.look(conntrack)));
}

/** What is the same in the rules of many tunnels is one object, which is made and encoded once. */
export class SharedRules {
  readonly #gate: Gate;
  readonly #lengths = new Map<number, readonly Expression[]>();
  readonly #looks = new Map<GateTunnel["conntrack"], readonly Expression[]>();
  readonly #strangers = new Map<string, Rule>();

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** A UDP payload of so many bytes. */
  length(payload: number): readonly Expression[] {
    return made(this.#lengths, payload, () => is(udp.length, hexOf(payload + UDP_HEADER, 2)));
  }

  look(conntrack: GateTunnel["conntrack"]): readonly Expression[] {
    return made(this.#looks, conntrack, () => [...bypass(conntrack), ...queued(this.#gate)]);
  }

  stranger(payload: number, timed: boolean, conntrack: GateTunnel["conntrack"]): Rule {
    return made(this.#strangers, `${payload} ${timed} ${conntrack}`, () =>
      rule(this.length(payload), bypass(conntrack), goTo(timed ? EPOCHS : STRANGERS)),
    );
  }
}

function made<K, V>(all: Map<K, V>, key: K, make: () => V): V {
  const before = all.get(key);
  if (before !== undefined) return before;
  const now = make();
  all.set(key, now);
  return now;
}

/**
 * As from strangers, whoever sends them: data that the endpoint of a peer may not send is often as long,
 * and would use up what its refreshes have.
 */
function longerOf({ longer, conntrack }: GateTunnel): Rule[] {
  if (longer === undefined) return [];
  const [first, last] = [longer.least + UDP_HEADER, longer.most + UDP_HEADER];
  const length = between(udp.length, hexOf(first, 2), hexOf(last, 2));
  return [rule(length, bypass(conntrack), goTo(longer.timed ? LONGER : STRANGERS))];
}

/** What all tunnels have in common that may have to look at something; strangers' total is one. */
export function authenticationObjects(gate: Gate): NftObject[] {
  const beats = gate.tunnels.some(({ heartbeats }) => heartbeats.length > 0);
  if (!gate.tunnels.some(listens) && !beats) return [];
  const interfaces = gate.tunnels.map(({ name }) => lastingElement(TUNNELS, hexInterface(name)));
  const objects: NftObject[] = [tunnelsSet(), ...interfaces];
  const waits = gate.tunnels.some(({ authentications }) => authentications.length > 0);
  // From here on, whoever sent it is a stranger.
  if (waits || beats) objects.push(...strangers(gate));
  if (waits) objects.push(...clockChains(gate));
  return objects;
}

/** What changes with the time: the daemon brings it up to date before the next step of 18 hours. */
export function clockChains(gate: Gate): Chain[] {
  const isLonger = gate.tunnels.some(({ longer }) => longer?.timed === true);
  return isLonger ? [epochsChain(gate), longerChain(gate)] : [epochsChain(gate)];
}

function epochsChain({ epochs }: Gate): Chain {
  return chain(EPOCHS, [
    ...epochs.map(ofEpoch),
    // A few are looked at all the same, so that a client whose clock is years off is told so in the log.
    rule([rateLimit(LOOKED_AT, false)], goTo(STRANGERS)),
    rule(drop),
  ]);
}

/** No look at impossible times here: what is as long as this is mostly data of who is not proven now. */
function longerChain({ epochs }: Gate): Chain {
  return chain(LONGER, [...epochs.map(ofEpoch), rule(drop)]);
}

const ofEpoch = (epoch: number): Rule =>
  rule(is(authenticationEpoch, hexOf(epoch, 3)), goTo(STRANGERS));

/** Packets a second with an impossible time. */
const LOOKED_AT = 1;
