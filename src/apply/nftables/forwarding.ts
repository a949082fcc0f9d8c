/**
 * Packets of others that go through a tunnel: marks that say so to the routing rules, and TCP's segment
 * size. Behind the gate, with everybody else's rules of this kind.
 */
import {
  NF_INET_FORWARD,
  NF_INET_LOCAL_OUT,
  NF_INET_PRE_ROUTING,
  NFT_META_IIFNAME,
  NFT_META_MARK,
  NFT_META_OIFNAME,
  NFT_RT_TCPMSS,
} from "../../kernel/nftables/constants.ts";
import { hexOf } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { PayloadField } from "../../kernel/nftables/expressions/payload.ts";
import type { BaseChain, Chain, NftObject, Rule } from "../../kernel/nftables/objects.ts";
import type { Gate, GateClamp, GateMark } from "../../plan/gate.ts";
import { lastingElement } from "./chains.ts";
import {
  ADDRESS,
  accept,
  between,
  hexHost,
  hexInterface,
  hexPlace,
  hexPort,
  inSet,
  ip,
  is,
  PORT,
  PROTOCOL_IPIP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  packetKey,
  protocolIs,
  rule,
  tcp,
  udp,
  within,
} from "./fields.ts";
import { CLAMP, MARK_FORWARDED, MARK_LOCAL, OUTER } from "./names.ts";
import { set } from "./sets.ts";

/** NF_IP_PRI_MANGLE (linux/netfilter_ipv4.h): before routing, behind connection tracking and the gate. */
const MANGLE = -150;

export function forwardingObjects(gate: Gate): NftObject[] {
  return [...markObjects(gate), ...clampObjects(gate)];
}

function base(type: BaseChain["type"], hook: number): BaseChain {
  return { type, hook, priority: MANGLE, policy: "accept" };
}

function markObjects(gate: Gate): NftObject[] {
  const { marks, tunnels, plain } = gate;
  if (marks.length === 0) return [];
  // The tunnels' own packets would go back into them.
  const outer = tunnels.map(({ local, port }) => lastingElement(OUTER, hexPlace(local, port)));
  const notOuter = (address: PayloadField, port: PayloadField): Rule[] => [
    ...(tunnels.length > 0
      ? [rule(protocolIs(PROTOCOL_UDP), inSet(OUTER, packetKey(address, port)), accept)]
      : []),
    ...(plain.length > 0 ? [rule(protocolIs(PROTOCOL_IPIP), accept)] : []),
  ];
  const forwarded: Chain = {
    ...{ kind: "chain", name: MARK_FORWARDED, comment: undefined },
    base: base("filter", NF_INET_PRE_ROUTING),
    rules: [
      ...notOuter(ip.destination, udp.destinationPort),
      ...marks.map((mark) => rule(cameIn(mark), ...selected(mark))),
    ],
  };
  const local: Chain = {
    ...{ kind: "chain", name: MARK_LOCAL, comment: undefined },
    // Where the mark is another than before, the packet is routed again.
    base: base("route", NF_INET_LOCAL_OUT),
    rules: [
      ...notOuter(ip.source, udp.sourcePort),
      ...marks
        .filter(({ inputDevice }) => inputDevice === undefined)
        .map((mark) => rule(...selected(mark))),
    ],
  };
  const known = tunnels.length > 0 ? [set(OUTER, [ADDRESS, PORT]), ...outer] : [];
  return [...known, forwarded, ...(local.rules.length > 0 ? [local] : [])];
}

/** What comes out of the tunnel would go back into it. */
function cameIn({ tunnel, inputDevice }: GateMark): Expression[] {
  return inputDevice === undefined
    ? device(NFT_META_IIFNAME, tunnel, "neq")
    : device(NFT_META_IIFNAME, inputDevice, "eq");
}

function device(key: number, name: string, operator: "eq" | "neq"): Expression[] {
  return [
    { kind: "meta", key, to: 0 },
    { kind: "cmp", from: 0, operator, value: hexInterface(name) },
  ];
}

/** The rest of a rule: which packets, and their mark. A later fragment has no ports, so it gets none. */
function selected(one: GateMark): (readonly Expression[])[] {
  const { protocol, source, destination, sourcePort, destinationPort, mark } = one;
  const port = (field: PayloadField, ports: GateMark["sourcePort"]): readonly Expression[] => {
    if (ports === undefined) return [];
    const { first, last } = ports;
    return first === last
      ? is(field, hexPort(first))
      : between(field, hexPort(first), hexPort(last));
  };
  return [
    protocol === undefined ? [] : protocolIs(protocol),
    source === undefined ? [] : within(ip.source, source),
    destination === undefined ? [] : within(ip.destination, destination),
    port(udp.sourcePort, sourcePort),
    port(udp.destinationPort, destinationPort),
    setMark(mark),
  ];
}

function setMark({ value, mask }: GateMark["mark"]): Expression[] {
  const written: Expression = { kind: "meta-write", key: NFT_META_MARK, from: 0 };
  if (mask === 0xffff_ffff) return [{ kind: "data", to: 0, value: hexHost(value) }, written];
  const kept = ~mask >>> 0;
  return [
    { kind: "meta", key: NFT_META_MARK, to: 0 },
    { kind: "bitwise", from: 0, to: 0, mask: hexHost(kept), xor: hexHost(value) },
    written,
  ];
}

/**
 * A connection's first packets, either way: no larger segments than the path takes. What comes out of the
 * tunnel says what will be sent into it, so there its own size counts: the way back is not known yet where
 * marks decide it.
 */
function clampObjects({ clamps }: Gate): NftObject[] {
  if (clamps.length === 0) return [];
  const chain: Chain = {
    ...{ kind: "chain", name: CLAMP, comment: undefined },
    base: base("filter", NF_INET_FORWARD),
    rules: clamps.flatMap(clampRules),
  };
  return [chain];
}

function clampRules({ tunnel, segment }: GateClamp): Rule[] {
  const opening = [...protocolIs(PROTOCOL_TCP), ...tcp.isOpening];
  const ofPath: Expression[] = [
    { kind: "rt", key: NFT_RT_TCPMSS, to: 0 },
    { kind: "byteorder", from: 0, to: 0, size: 2 },
    writeSegment,
  ];
  const ofTunnel: Expression[] = [{ kind: "data", to: 0, value: hexOf(segment, 2) }, writeSegment];
  const out = device(NFT_META_OIFNAME, tunnel, "eq");
  const back = device(NFT_META_IIFNAME, tunnel, "eq");
  return [rule(out, opening, ofPath), rule(back, opening, ofTunnel), rule(back, opening, ofPath)];
}

/** RFC 9293, section 3.2: kind, length, then the size. */
const writeSegment: Expression = {
  ...{ kind: "tcp-option-write", option: 2, offset: 2, length: 2, from: 0 },
};
