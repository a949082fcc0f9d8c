/**
 * What comes in: the chain at prerouting, before connection tracking. The base chain only ever jumps, on
 * a match of what is ours, and ends with accept: everything else on the host passes as before. The
 * decapsulated packet passes it again and fails at the first compare.
 */

import { NF_INET_PRE_ROUTING, NFT_META_IIFNAME } from "../../kernel/nftables/constants.ts";
import { hexOf } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, Element, NftObject, NftSet, Rule } from "../../kernel/nftables/objects.ts";
import type { IpAddress } from "../../net/address.ts";
import type { AuthenticationLength, Gate, GateTunnel } from "../../plan/gate.ts";
import { defragmentation } from "./defragment.ts";
import {
  ADDRESS,
  accept,
  authenticationEpoch,
  between,
  bypass,
  drop,
  fromMap,
  goTo,
  hexAddress,
  hexInterface,
  hexPort,
  inSet,
  ip,
  is,
  isFragment,
  NODE,
  PORT,
  PROTOCOL_IPIP,
  PROTOCOL_UDP,
  packetKey,
  protocolIs,
  rule,
  SENDER,
  SENDER_AND_INNER,
  UDP_HEADER,
  udp,
  VERDICT,
  verdictMap,
  writeAddress,
} from "./fields.ts";
import { groupBy } from "./group.ts";
import { heartbeatChains, heartbeatDoors } from "./heartbeats.ts";
import { rateLimit } from "./limits.ts";
import {
  authenticationChain,
  CLOSED,
  EPOCHS,
  EVERYBODY,
  endpointsSet,
  guardSet,
  knownSet,
  LIMITED,
  LOCALS,
  LONGER,
  nodesSet,
  OVER,
  PLAIN,
  PREROUTING,
  peersMap,
  portsOf,
  SOURCES,
  STAND_INS,
  STRANGERS,
  TRANSLATE,
  TUNNELS,
  toLocal,
  tunnelChain,
} from "./names.ts";
import { plainMap } from "./plain.ts";
import { covers, limitedSet, needsOf, set, sourcesSet, tunnelsSet } from "./sets.ts";

/** Before connection tracking (-200), after its defragmentation (-400) where there is one. */
export const PRIORITY = -310;

/** After connection tracking (-200), before everybody else's rules (mangle, -150). */
const TRACKED = -199;

/** So many compares cost less than a look-up that misses. */
export const MOST_COMPARES = 3;

const chain = (name: string, rules: readonly Rule[]): Chain => ({
  kind: "chain",
  name,
  base: undefined,
  comment: undefined,
  rules,
});

const verdictElement = (map: string, key: string, to: string): Element => ({
  kind: "element",
  set: map,
  key,
  data: { code: "goto", chain: to },
  timeout: 0,
  expires: undefined,
  counter: undefined,
});

export { chain, verdictElement };

/** What all tunnels have in common. */
export function receivingObjects(gate: Gate): NftObject[] {
  if (gate.tunnels.length + gate.plain.length === 0) return [];
  const byLocal = groupBy(gate.tunnels, ({ local }) => local);
  for (const { local } of gate.plain) if (!byLocal.has(local)) byLocal.set(local, []);
  // Nobody outside has a reason to name a stand-in, and behind it is a device with nothing checked.
  const standIns = gate.tunnels.flatMap(({ standIn }) => (standIn === undefined ? [] : [standIn]));
  const locals = [
    ...[...byLocal.keys()].map((local) => ({ local, to: toLocal(local) })),
    ...standIns.map((local) => ({ local, to: CLOSED })),
  ];
  const objects: NftObject[] = [];
  const few = locals.length <= MOST_COMPARES;
  if (!few) {
    objects.push(set(LOCALS, [ADDRESS], { data: VERDICT, size: locals.length }));
    objects.push(...locals.map(({ local, to }) => verdictElement(LOCALS, hexAddress(local), to)));
  }
  objects.push({
    kind: "chain",
    name: PREROUTING,
    base: { type: "filter", hook: NF_INET_PRE_ROUTING, priority: PRIORITY, policy: "accept" },
    comment: undefined,
    rules: few
      ? locals.map(({ local, to }) => rule(is(ip.destination, hexAddress(local)), goTo(to)))
      : [rule(verdictMap(LOCALS, packetKey(ip.destination)))],
  });
  objects.push(...plainMap(gate.plain));
  for (const [local, tunnels] of byLocal) objects.push(...localObjects(gate, local, tunnels));
  objects.push(...standInObjects(gate));
  objects.push(...authenticationObjects(gate));
  return objects;
}

/** One local address. UDP first: the guard then costs data nothing. */
function localObjects(gate: Gate, local: IpAddress, tunnels: readonly GateTunnel[]): NftObject[] {
  const few = tunnels.length <= MOST_COMPARES;
  const ports: readonly (NftSet | Element)[] = few
    ? []
    : [
        set(portsOf(local), [PORT], { data: VERDICT, size: tunnels.length }),
        ...tunnels.map(({ port, name }) =>
          verdictElement(portsOf(local), hexPort(port), tunnelChain(name)),
        ),
      ];
  const isUdp = protocolIs(PROTOCOL_UDP);
  const doors = few
    ? tunnels.map(({ port, name }) =>
        rule(isUdp, is(udp.destinationPort, hexPort(port)), goTo(tunnelChain(name))),
      )
    : [rule(isUdp, verdictMap(portsOf(local), packetKey(udp.destinationPort)))];
  const isIpip = protocolIs(PROTOCOL_IPIP);
  const plain = gate.plain.some((one) => one.local === local)
    ? [rule(isIpip, verdictMap(PLAIN, packetKey(ip.source, ip.destination)))]
    : [];
  const heartbeats = heartbeatDoors(local, tunnels);
  const look = [...bypass("bypass"), ...queued(gate)];
  const first = [DROP_FROM_TUNNEL, DROP_FRAGMENT];
  return [
    ...ports,
    ...heartbeatChains(local, tunnels, gate, { first, look }),
    chain(toLocal(local), [...doors, ...heartbeats, ...plain, ...guard(gate, local, tunnels)]),
  ];
}

/** Bare protocol 4 would come out of our devices with nothing checked (CVE-2020-10136). */
function guard(gate: Gate, local: IpAddress, tunnels: readonly GateTunnel[]): Rule[] {
  const isIpip = protocolIs(PROTOCOL_IPIP);
  const foreign = gate.foreignIpip.filter((device) => covers(device.local, local));
  // From anyone: what comes from our peers' addresses would find our devices, the rest finds theirs.
  if (tunnels.length > 0 && tunnels.every((tunnel) => needsOf(gate, tunnel).guard)) {
    return tunnels.map(({ name }) =>
      rule(isIpip, inSet(guardSet(name), packetKey(ip.source)), drop),
    );
  }
  const remotes = foreign.flatMap(({ remote }) => (remote === undefined ? [] : [remote]));
  return [
    ...[...new Set(remotes)].map((remote) =>
      rule(isIpip, is(ip.source, hexAddress(remote)), accept),
    ),
    rule(isIpip, drop),
  ];
}

/** What lets a packet of data in: connection tracking does not see it where it is bypassed. */
export function acceptData({ conntrack, standIn }: GateTunnel): Expression[] {
  const early = standIn !== undefined && conntrack === "bypass";
  return [...(early ? toStandIn(standIn) : []), ...bypass(conntrack), ...accept];
}

function toStandIn(standIn: IpAddress): Expression[] {
  return [{ kind: "data", to: 0, value: hexAddress(standIn) }, writeAddress(ip.destination, 0)];
}

/**
 * Where connection tracking shall see the tunnel, it must see the packet as it was on the wire, or nothing
 * would belong together; what is not let in never comes that far.
 */
function standInObjects({ tunnels }: Gate): NftObject[] {
  const translated = tunnels.filter(({ standIn }) => standIn !== undefined);
  if (translated.length === 0) return [];
  const objects: NftObject[] = [chain(CLOSED, [rule(drop)]), defragmentation];
  const tracked = translated.filter(({ conntrack }) => conntrack === "track");
  if (tracked.length === 0) return objects;
  // Without a size: one tunnel more shall not mean another set.
  objects.push(set(STAND_INS, [ADDRESS, PORT], { data: ADDRESS }));
  for (const { local, port, standIn } of tracked) {
    if (standIn === undefined) continue;
    objects.push({
      ...{ kind: "element", set: STAND_INS, key: `${hexAddress(local)}${hexPort(port)}0000` },
      ...{ data: hexAddress(standIn), timeout: 0, expires: undefined, counter: undefined },
    });
  }
  const standIn = fromMap(STAND_INS, packetKey(ip.destination, udp.destinationPort));
  objects.push({
    kind: "chain",
    name: TRANSLATE,
    base: { type: "filter", hook: NF_INET_PRE_ROUTING, priority: TRACKED, policy: "accept" },
    comment: undefined,
    rules: [rule(protocolIs(PROTOCOL_UDP), standIn, [writeAddress(ip.destination, 0)])],
  });
  return objects;
}

/** What comes to one tunnel's port. */
export function tunnelChains(
  gate: Gate,
  tunnel: GateTunnel,
  needs = needsOf(gate, tunnel),
  shared = new SharedRules(gate),
): Chain[] {
  const { name } = tunnel;
  const rules: Rule[] = [];
  if (needs.exact) {
    const known = inSet(knownSet(name), SENDER_AND_INNER);
    rules.push(rule(known, acceptData(tunnel)));
  }
  if (needs.nodes) rules.push(rule(inSet(nodesSet(name), NODE), acceptData(tunnel)));
  if (needs.prefixes) rules.push(rule(verdictMap(peersMap(name), SENDER)));
  rules.push(rule(needs.authentications ? goTo(authenticationChain(name)) : drop));
  const chains = [chain(tunnelChain(name), rules)];
  if (needs.authentications) chains.push(authenticationsOf(tunnel, shared));
  return chains;
}

/**
 * What is no accepted data. An authentication is known by its length alone: it is smaller than any
 * underlay's MTU, so it never is a fragment, and none comes out of a tunnel of ours.
 */
function authenticationsOf(tunnel: GateTunnel, shared: SharedRules): Chain {
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
const DROP_FRAGMENT = rule(isFragment, drop);
const DROP_FROM_TUNNEL = rule(
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

/** Never with `bypass`: without a daemon nobody new gets in. */
function queued({ queue }: Gate): Expression[] {
  return [{ kind: "queue", number: queue.number, bypass: false }];
}

/** What all tunnels have in common that may have to look at something; strangers' total is one. */
function authenticationObjects(gate: Gate): NftObject[] {
  const beats = gate.tunnels.some(({ heartbeats }) => heartbeats.length > 0);
  const listens = gate.tunnels.some((tunnel) => needsOf(gate, tunnel).authentications);
  if (!listens && !beats) return [];
  const interfaces = gate.tunnels.map(
    ({ name }): Element => ({
      kind: "element",
      set: TUNNELS,
      key: hexInterface(name),
      data: undefined,
      timeout: 0,
      expires: undefined,
      counter: undefined,
    }),
  );
  const objects: NftObject[] = [tunnelsSet(), ...interfaces];
  const waits = gate.tunnels.some(({ authentications }) => authentications.length > 0);
  // From here on, whoever sent it is a stranger.
  if (waits || beats) objects.push(sourcesSet(), limitedSet(), overChain(), strangersChain(gate));
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

function strangersChain(gate: Gate): Chain {
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
function overChain(): Chain {
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
