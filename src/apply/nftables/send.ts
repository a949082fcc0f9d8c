/**
 * What goes out: only hubs and translated tunnels need it. A hub's device writes one destination port, and
 * each peer's NAT chose its own; a translated one writes a placeholder. A chain of type route costs nothing
 * for packets that it leaves alone, and routes those again whose address it has written.
 */
import { NF_INET_LOCAL_OUT, NFT_META_MARK } from "../../kernel/nftables/constants.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import type { IpAddress } from "../../net/address.ts";
import type { Gate, GateTunnel } from "../../plan/gate.ts";
import { CLASS_E } from "../../plan/ids.ts";
import { chain, MOST_COMPARES, PRIORITY, verdictElement } from "./chains.ts";
import {
  ADDRESS,
  accept,
  bypass,
  drop,
  fromMap,
  goTo,
  hexAddress,
  hexHost,
  hexPlace,
  hexPort,
  ip,
  is,
  PORT,
  PROTOCOL_UDP,
  packetKey,
  protocolIs,
  rule,
  udp,
  VERDICT,
  verdictMap,
  writeAddress,
} from "./fields.ts";
import { destinationPortMap, fromHub, HUBS, OUTPUT, realMap, toIds } from "./names.ts";
import { set } from "./sets.ts";

export function sendingObjects(gate: Gate): NftObject[] {
  const senders = gate.tunnels.filter(
    ({ form, standIn }) => form === "hub" || standIn !== undefined,
  );
  if (senders.length === 0) return [];
  const few = senders.length <= MOST_COMPARES;
  const isUdp = protocolIs(PROTOCOL_UDP);
  const source = ({ local, standIn }: GateTunnel): IpAddress => standIn ?? local;
  const base: Chain = {
    kind: "chain",
    name: OUTPUT,
    base: { type: "route", hook: NF_INET_LOCAL_OUT, priority: PRIORITY, policy: "accept" },
    comment: undefined,
    rules: few
      ? senders.map((tunnel) =>
          rule(
            is(ip.source, hexAddress(source(tunnel))),
            isUdp,
            is(udp.sourcePort, hexPort(tunnel.port)),
            goTo(fromHub(tunnel.name)),
          ),
        )
      : [rule(isUdp, verdictMap(HUBS, packetKey(ip.source, udp.sourcePort)))],
  };
  const map: NftObject[] = few
    ? []
    : [
        set(HUBS, [ADDRESS, PORT], { data: VERDICT, size: senders.length }),
        ...senders.map((tunnel) =>
          verdictElement(HUBS, hexPlace(source(tunnel), tunnel.port), fromHub(tunnel.name)),
        ),
      ];
  return [
    ...map,
    base,
    ...senders.flatMap((tunnel) => sendingChains(tunnel, gate.marks.length > 0)),
  ];
}

/** @param marked The host's packets have marks of their own. */
function sendingChains(tunnel: GateTunnel, marked: boolean): Chain[] {
  if (tunnel.form === "direct") {
    return [
      chain(fromHub(tunnel.name), [rule(letOut(tunnel, tunnel.standIn !== undefined, marked))]),
    ];
  }
  const port = writePort(tunnel);
  const real = [...fromMap(realMap(tunnel.name), DESTINATION), writeAddress(ip.destination, 0)];
  // A heartbeat goes where it says, from the tunnel's own port.
  const beats = (rest: readonly Expression[]): Rule[] =>
    tunnel.heartbeatPorts.map((to) => rule(is(udp.destinationPort, hexPort(to)), rest));
  const isId = is(ip.destination, hexAddress(CLASS_E.address), "gte");
  // A destination without an element is a peer that has no proof now: nothing leaves for it.
  return [
    chain(toIds(tunnel.name), [
      ...beats([...real, ...letOut(tunnel, true, marked)]),
      rule(port, real, letOut(tunnel, true, marked)),
      rule(drop),
    ]),
    chain(fromHub(tunnel.name), [
      rule(isId, goTo(toIds(tunnel.name))),
      ...beats(letOut(tunnel, tunnel.standIn !== undefined, marked)),
      rule(port, letOut(tunnel, tunnel.standIn !== undefined, marked)),
      rule(drop),
    ]),
  ];
}

/**
 * @param rerouted An address is written, so the packet is routed anew, by the mark that it carries itself:
 *   the device's has served its turn.
 */
function letOut(tunnel: GateTunnel, rerouted: boolean, marked: boolean): Expression[] {
  const { standIn, local, mark, conntrack } = tunnel;
  const expressions: Expression[] = [];
  if (standIn !== undefined) {
    expressions.push({ kind: "data", to: 0, value: hexAddress(local) });
    expressions.push(writeAddress(ip.source, 0));
  }
  if (rerouted && (mark !== 0 || marked)) {
    expressions.push({ kind: "data", to: 0, value: hexHost(mark) });
    expressions.push({ kind: "meta-write", key: NFT_META_MARK, from: 0 });
  }
  return [...expressions, ...bypass(conntrack), ...accept];
}

const DESTINATION = packetKey(ip.destination);

function writePort(tunnel: GateTunnel): Expression[] {
  return [
    ...fromMap(destinationPortMap(tunnel.name), DESTINATION),
    {
      kind: "payload-write",
      ...udp.destinationPort,
      from: 0,
      // "Updating" a checksum of 0 (none) would make it a wrong one.
      checksum: tunnel.checksum
        ? { type: "inet", offset: UDP_CHECKSUM, pseudoHeader: false }
        : { type: "none" },
    },
  ];
}

/** Offset in the UDP header. */
const UDP_CHECKSUM = 6;
