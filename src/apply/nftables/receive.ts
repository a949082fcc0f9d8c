/**
 * What comes in: the chain at prerouting, before connection tracking. The base chain only ever jumps, on
 * a match of what is ours, and ends with accept: everything else on the host passes as before. The
 * decapsulated packet passes it again and fails at the first compare.
 */

import { NF_INET_PRE_ROUTING } from "../../kernel/nftables/constants.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, Element, NftObject, NftSet, Rule } from "../../kernel/nftables/objects.ts";
import type { IpAddress } from "../../net/address.ts";
import type { Gate, GateTunnel } from "../../plan/gate.ts";
import {
  authenticationObjects,
  authenticationsOf,
  DROP_FRAGMENT,
  DROP_FROM_TUNNEL,
  SharedRules,
} from "./authentications.ts";
import { chain, lastingElement, MOST_COMPARES, PRIORITY, verdictElement } from "./chains.ts";
import { defragmentation } from "./defragment.ts";
import {
  ADDRESS,
  accept,
  bypass,
  drop,
  fromMap,
  goTo,
  hexAddress,
  hexPlace,
  hexPort,
  inSet,
  ip,
  is,
  NODE,
  PORT,
  PROTOCOL_IPIP,
  PROTOCOL_UDP,
  packetKey,
  protocolIs,
  rule,
  SENDER,
  SENDER_AND_INNER,
  udp,
  VERDICT,
  verdictMap,
  writeAddress,
} from "./fields.ts";
import { groupBy } from "./group.ts";
import { heartbeatChains, heartbeatDoors } from "./heartbeats.ts";
import {
  authenticationChain,
  CLOSED,
  guardSet,
  knownSet,
  LOCALS,
  nodesSet,
  PLAIN,
  PREROUTING,
  peersMap,
  portsOf,
  STAND_INS,
  TRANSLATE,
  toLocal,
  tunnelChain,
} from "./names.ts";
import { plainMap } from "./plain.ts";
import { covers, isGuarded, needsOf, set } from "./sets.ts";
import { queued } from "./strangers.ts";

/** After connection tracking (-200), before everybody else's rules (mangle, -150). */
const TRACKED = -199;

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
  if (tunnels.length > 0 && tunnels.every((tunnel) => isGuarded(gate, tunnel))) {
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
    objects.push(lastingElement(STAND_INS, hexPlace(local, port), hexAddress(standIn)));
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
