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
import {
  ADDRESS,
  accept,
  authenticationEpoch,
  between,
  drop,
  goTo,
  hexAddress,
  hexInterface,
  hexPort,
  inSet,
  ip,
  is,
  isFragment,
  PORT,
  PROTOCOL_IPIP,
  PROTOCOL_UDP,
  protocolIs,
  rule,
  SENDER,
  SENDER_AND_INNER,
  UDP_HEADER,
  udp,
  VERDICT,
  verdictMap,
} from "./fields.ts";
import { groupBy } from "./group.ts";
import { rateLimit } from "./limits.ts";
import {
  authenticationChain,
  EPOCHS,
  endpointsSet,
  guardSet,
  knownSet,
  LOCALS,
  LONGER,
  PREROUTING,
  peersMap,
  portsOf,
  SOURCES,
  STRANGERS,
  TUNNELS,
  toLocal,
  tunnelChain,
} from "./names.ts";
import { covers, needsOf, set, sourcesSet, tunnelsSet } from "./sets.ts";

/** Before connection tracking (-200), after its defragmentation (-400) where there is one. */
export const PRIORITY = -310;

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
  if (gate.tunnels.length === 0) return [];
  const byLocal = groupBy(gate.tunnels, ({ local }) => local);
  const locals = [...byLocal.keys()];
  const objects: NftObject[] = [];
  const few = locals.length <= MOST_COMPARES;
  if (!few) {
    objects.push(set(LOCALS, [ADDRESS], { data: VERDICT, size: locals.length }));
    objects.push(
      ...locals.map((local) => verdictElement(LOCALS, hexAddress(local), toLocal(local))),
    );
  }
  objects.push({
    kind: "chain",
    name: PREROUTING,
    base: { type: "filter", hook: NF_INET_PRE_ROUTING, priority: PRIORITY, policy: "accept" },
    comment: undefined,
    rules: few
      ? locals.map((local) => rule(is(ip.destination, hexAddress(local)), goTo(toLocal(local))))
      : [rule(verdictMap(LOCALS, ip.destination))],
  });
  for (const [local, tunnels] of byLocal) objects.push(...localObjects(gate, local, tunnels));
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
    : [rule(isUdp, verdictMap(portsOf(local), udp.destinationPort))];
  return [...ports, chain(toLocal(local), [...doors, ...guard(gate, local, tunnels)])];
}

/** Bare protocol 4 would come out of our devices with nothing checked (CVE-2020-10136). */
function guard(gate: Gate, local: IpAddress, tunnels: readonly GateTunnel[]): Rule[] {
  const isIpip = protocolIs(PROTOCOL_IPIP);
  const foreign = gate.foreignIpip.filter((device) => covers(device.local, local));
  // From anyone: what comes from our peers' addresses would find our devices, the rest finds theirs.
  if (tunnels.every((tunnel) => needsOf(gate, tunnel).guard)) {
    return tunnels.map(({ name }) => rule(isIpip, inSet(guardSet(name), ip.source), drop));
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
export function acceptData({ conntrack }: GateTunnel): Expression[] {
  return [...bypass(conntrack), ...accept];
}

function bypass(conntrack: GateTunnel["conntrack"]): Expression[] {
  return conntrack === "bypass" ? [{ kind: "notrack" }] : [];
}

/** What comes to one tunnel's port. */
export function tunnelChains(
  gate: Gate,
  tunnel: GateTunnel,
  needs = needsOf(gate, tunnel),
): Chain[] {
  const { name } = tunnel;
  const rules: Rule[] = [];
  if (needs.exact) {
    const known = inSet(knownSet(name), ...SENDER_AND_INNER);
    rules.push(rule(known, acceptData(tunnel)));
  }
  if (needs.prefixes) rules.push(rule(verdictMap(peersMap(name), ...SENDER)));
  rules.push(rule(needs.authentications ? goTo(authenticationChain(name)) : drop));
  const chains = [chain(tunnelChain(name), rules)];
  if (needs.authentications) chains.push(authenticationsOf(gate, tunnel));
  return chains;
}

/**
 * What is no accepted data. An authentication is known by its length alone: it is smaller than any
 * underlay's MTU, so it never is a fragment, and none comes out of a tunnel of ours.
 */
function authenticationsOf(gate: Gate, tunnel: GateTunnel): Chain {
  const fromTunnel: Expression[] = [
    { kind: "meta", key: NFT_META_IIFNAME, to: 0 },
    { kind: "lookup", set: TUNNELS, from: 0, to: undefined, invert: false },
  ];
  return chain(authenticationChain(tunnel.name), [
    rule(fromTunnel, drop),
    rule(isFragment, drop),
    ...tunnel.authentications.flatMap((authentication) => oneLength(gate, tunnel, authentication)),
    ...repliesOf(gate, tunnel),
    ...longerOf(tunnel),
    rule(drop),
  ]);
}

function oneLength(
  gate: Gate,
  { name, conntrack }: GateTunnel,
  { payload, timed }: AuthenticationLength,
): Rule[] {
  const length = is(udp.length, hexOf(payload + UDP_HEADER, 2));
  const known = inSet(endpointsSet(name), ...SENDER);
  return [
    rule(length, known, bypass(conntrack), queued(gate)),
    rule(length, bypass(conntrack), goTo(timed ? EPOCHS : STRANGERS)),
  ];
}

/** From a peer's endpoint, or from nobody. */
function repliesOf(gate: Gate, { name, conntrack, authentications, replies }: GateTunnel): Rule[] {
  const known = inSet(endpointsSet(name), ...SENDER);
  return replies
    .filter((length) => !authentications.some(({ payload }) => payload === length))
    .map((length) =>
      rule(is(udp.length, hexOf(length + UDP_HEADER, 2)), known, bypass(conntrack), queued(gate)),
    );
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
  if (!gate.tunnels.some((tunnel) => needsOf(gate, tunnel).authentications)) return [];
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
  if (gate.tunnels.some(({ authentications }) => authentications.length > 0)) {
    // From here on, whoever sent it is a stranger.
    objects.push(sourcesSet(), strangersChain(gate), ...clockChains(gate));
  }
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
      drop,
    ),
    rule([rateLimit(rateTotal, false)], queued(gate)),
    rule(drop),
  ]);
}
