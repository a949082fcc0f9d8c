/**
 * What goes out: only hubs need it. Their device writes one destination port, and each peer's NAT chose
 * its own. A chain of type route costs nothing for packets that it leaves alone.
 */
import { NF_INET_LOCAL_OUT } from "../../kernel/nftables/constants.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { Chain, NftObject } from "../../kernel/nftables/objects.ts";
import type { Gate, GateTunnel } from "../../plan/gate.ts";
import {
  ADDRESS,
  drop,
  goTo,
  hexAddress,
  hexPort,
  ip,
  is,
  PORT,
  PROTOCOL_UDP,
  protocolIs,
  rule,
  udp,
  VERDICT,
  verdictMap,
} from "./fields.ts";
import { destinationPortMap, fromHub, HUBS, OUTPUT } from "./names.ts";
import { acceptData, chain, MOST_COMPARES, PRIORITY, verdictElement } from "./receive.ts";
import { set } from "./sets.ts";

export function sendingObjects(gate: Gate): NftObject[] {
  const hubs = gate.tunnels.filter(({ form }) => form === "hub");
  if (hubs.length === 0) return [];
  const few = hubs.length <= MOST_COMPARES;
  const isUdp = protocolIs(PROTOCOL_UDP);
  const key = ({ local, port }: GateTunnel): string => `${hexAddress(local)}${hexPort(port)}0000`;
  const base: Chain = {
    kind: "chain",
    name: OUTPUT,
    base: { type: "route", hook: NF_INET_LOCAL_OUT, priority: PRIORITY, policy: "accept" },
    comment: undefined,
    rules: few
      ? hubs.map(({ name, local, port }) =>
          rule(
            is(ip.source, hexAddress(local)),
            isUdp,
            is(udp.sourcePort, hexPort(port)),
            goTo(fromHub(name)),
          ),
        )
      : [rule(isUdp, verdictMap(HUBS, ip.source, udp.sourcePort))],
  };
  const map: NftObject[] = few
    ? []
    : [
        set(HUBS, [ADDRESS, PORT], { data: VERDICT, size: hubs.length }),
        ...hubs.map((hub) => verdictElement(HUBS, key(hub), fromHub(hub.name))),
      ];
  return [...map, base, ...hubs.map(sendingChain)];
}

/** A destination without an element is a peer that has no proof now: nothing leaves for it. */
function sendingChain(tunnel: GateTunnel): Chain {
  const port: Expression[] = [
    { kind: "payload", ...ip.destination, to: 0 },
    {
      kind: "lookup",
      set: destinationPortMap(tunnel.name),
      from: 0,
      to: 0,
      invert: false,
    },
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
  return chain(fromHub(tunnel.name), [rule(port, acceptData(tunnel)), rule(drop)]);
}

/** Offset in the UDP header. */
const UDP_CHECKSUM = 6;
