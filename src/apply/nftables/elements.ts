/** What one peer has in the table: the elements that let its packets in and out, and its own chain. */
import type { Data, Hex } from "../../kernel/nftables/data.ts";
import { hexOf } from "../../kernel/nftables/data.ts";
import type { Chain, Element, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import { type IpAddress, isHost } from "../../net/address.ts";
import type { Gate, GatePeer, GateTunnel } from "../../plan/gate.ts";
import { placeholder } from "../../plan/ids.ts";
import { chain, lastingElement } from "./chains.ts";
import {
  drop,
  goTo,
  hexAddress,
  hexPort,
  hexPorts,
  IPV4_HEADER,
  inner,
  inSet,
  is,
  masked,
  packetKey,
  rule,
  UDP_HEADER,
  udp,
  within,
} from "./fields.ts";
import {
  authenticationChain,
  destinationPortMap,
  endpointsSet,
  guardSet,
  hostsSet,
  knownSet,
  nodesSet,
  peerChain,
  peersMap,
  realMap,
} from "./names.ts";
import { acceptData } from "./receive.ts";
import { isExact, listens, type Needs, needsOf, surroundsMany } from "./sets.ts";

/**
 * All that a roam, a refresh or the expiry of this peer touches. `tunnel` may come without its peers.
 */
export function peerObjects(
  gate: Pick<Gate, "foreignIpip">,
  tunnel: GateTunnel,
  peer: GatePeer,
  needs: Needs = needsOf(gate, tunnel),
): NftObject[] {
  const chained = !peer.anyPort && !isExact(peer);
  const objects: NftObject[] = chained ? [prefixChain(tunnel, peer)] : [];
  const { endpoint } = peer;
  if (endpoint === undefined) return objects;
  const source = hexAddress(endpoint.address);
  const key = source + hexPorts(endpoint.port, tunnel.port);
  const add = (set: string, of: Hex, data?: Data): void => {
    objects.push(element(peer, set, of, data));
  };
  if (peer.anyPort) {
    for (const { address } of peer.inner) add(nodesSet(tunnel.name), source + hexAddress(address));
  } else if (isExact(peer)) {
    for (const { address } of peer.inner) add(knownSet(tunnel.name), key + hexAddress(address));
  } else {
    add(peersMap(tunnel.name), key, { code: "goto", chain: peerChain(tunnel.name, peer.id) });
  }
  if (needs.authentications && !peer.second && !peer.anyPort) add(endpointsSet(tunnel.name), key);
  if (needs.hub) {
    const nextHop = peer.translated ? hexAddress(placeholder(peer.id)) : source;
    add(destinationPortMap(tunnel.name), nextHop, hexPort(endpoint.port));
    if (peer.translated) add(realMap(tunnel.name), nextHop, source);
  }
  if (needs.guard) add(guardSet(tunnel.name), source);
  return objects;
}

export function element(
  peer: Pick<GatePeer, "lifetime" | "remaining">,
  set: string,
  key: Hex,
  data?: Data,
): Element {
  return {
    kind: "element",
    set,
    key,
    data,
    timeout: peer.lifetime,
    expires: peer.lifetime > 0 ? peer.remaining : undefined,
    counter: undefined,
  };
}

/** The chain of a peer that has prefixes. */
function prefixChain(tunnel: GateTunnel, peer: GatePeer): Chain {
  const otherwise = listens(tunnel) ? goTo(authenticationChain(tunnel.name)) : drop;
  const any = peer.inner.some(({ length }) => length === 0);
  return chain(peerChain(tunnel.name, peer.id), [
    ...noAuthentication(tunnel, otherwise),
    ...innerSources(tunnel, peer, otherwise),
    ...(any ? [] : [rule(otherwise)]),
  ]);
}

/** The narrowest network that holds an inner source decides whose it is. */
function innerSources(tunnel: GateTunnel, peer: GatePeer, otherwise: Rule["expressions"]): Rule[] {
  const many = surroundsMany(peer);
  const accepted = acceptData(tunnel);
  const own = peer.inner.map((prefix) => ({ prefix, verdict: accepted }));
  const others = peer.others
    .filter((prefix) => !(many && isHost(prefix)))
    .map((prefix) => ({ prefix, verdict: otherwise }));
  // Without others inside, 0.0.0.0/0 says it all.
  const widest = own.find(({ prefix }) => prefix.length === 0);
  const wanted = widest !== undefined && peer.others.length === 0 ? [widest] : [...own, ...others];
  const rules = wanted
    .sort((a, b) => b.prefix.length - a.prefix.length)
    .map(({ prefix, verdict }) => ({ prefix, rule: rule(within(inner.source, prefix), verdict) }));
  if (!many) return rules.map((one) => one.rule);
  const isOthers = rule(inSet(hostsSet(tunnel.name), packetKey(inner.source)), otherwise);
  return [
    ...rules.filter(({ prefix }) => isHost(prefix)).map((one) => one.rule),
    isOthers,
    ...rules.filter(({ prefix }) => !isHost(prefix)).map((one) => one.rule),
  ];
}

export function hostElement(tunnel: GateTunnel, host: IpAddress): Element {
  return lastingElement(hostsSet(tunnel.name), hexAddress(host));
}

/**
 * An authentication must not pass as data, or the proof would never be renewed: one signature in 16
 * begins like an IPv4 header. Where the length is an authentication's, the inner total length must be
 * that of the payload. Longer ones, which nobody is known to send, are told by their first byte alone: no
 * expression compares two fields, and a rule for each length would cost all data more than they are worth.
 */
function noAuthentication(
  { authentications, replies }: GateTunnel,
  otherwise: Rule["expressions"],
): Rule[] {
  const lengths = new Set([...authentications.map(({ payload }) => payload), ...replies]);
  // A lost answer is nothing, and most who dial wait for nobody: their data is spared this test.
  const waits = authentications.length > 0;
  return [
    ...(waits ? [rule(masked(inner.version, "f0", "40", "neq"), otherwise)] : []),
    ...[...lengths].map((length) => {
      const sameLength = is(udp.length, hexOf(length + UDP_HEADER, 2));
      // Too short for an IPv4 header, so no data whatever it says.
      if (length < IPV4_HEADER) return rule(sameLength, otherwise);
      return rule(sameLength, is(inner.totalLength, hexOf(length, 2), "neq"), otherwise);
    }),
  ];
}
