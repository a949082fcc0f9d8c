/** A small language for rules: what a packet's fields are called, and the expressions that test them. */

import { type Hex, hexOf, toHex, type Verdict } from "../../kernel/nftables/data.ts";
import type { Expression } from "../../kernel/nftables/expression.ts";
import type { CmpOperator } from "../../kernel/nftables/expressions/cmp.ts";
import type { PayloadField } from "../../kernel/nftables/expressions/payload.ts";
import type { Field, Rule } from "../../kernel/nftables/objects.ts";
import { paddedBytes } from "../../kernel/nftables/registers.ts";
import { addressBytes, type IpAddress, type Prefix } from "../../net/address.ts";

const network = (offset: number, length: number): PayloadField => ({
  base: "network",
  offset,
  length,
});
const transport = (offset: number, length: number): PayloadField => ({
  base: "transport",
  offset,
  length,
});

/** Aligned loads of 1, 2 and 4 bytes cost about 60 instructions, others several times that. */
export const ip = {
  fragment: network(6, 2),
  protocol: network(9, 1),
  source: network(12, 4),
  destination: network(16, 4),
} as const;

export const udp = {
  sourcePort: transport(0, 2),
  destinationPort: transport(2, 2),
  /** Source, then destination: one load for a key. */
  ports: transport(0, 4),
  /** Header and payload. */
  length: transport(4, 2),
} as const;

export const UDP_HEADER = 8;
export const IPV4_HEADER = 20;

/** The payload of a FOU packet is an IPv4 packet. */
export const inner = {
  /** Version and header length. */
  version: transport(8, 1),
  totalLength: transport(10, 2),
  source: transport(20, 4),
} as const;

/** Of bare protocol 4, whose payload is an IPv4 packet. */
export const bare = {
  source: transport(12, 4),
} as const;

/** Upper 24 bits of the time in an authentication of protocol 1: after 64 bytes of signature. */
export const authenticationEpoch = transport(8 + 64, 3);

export const PROTOCOL_IPIP = 4;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
/** Of `ip.fragment`: more fragments follow, or this one is not the first. */
const FRAGMENT_MASK = 0x3fff;
/** Of `ip.fragment`: this one is not the first, so it has no inner header. */
const OFFSET_MASK = 0x1fff;

export const ADDRESS: Field = { type: "ipv4_addr", bytes: 4 };
export const PORT: Field = { type: "inet_service", bytes: 2 };
export const VERDICT: Field = { type: "verdict", bytes: 0 };
export const INTERFACE: Field = { type: "ifname", bytes: 16 };

/** Fields of a packet that a set is asked for, and the loads that put them into registers. */
export interface PacketKey {
  readonly fields: readonly PayloadField[];
  readonly loads: readonly Expression[];
}

export function packetKey(...fields: readonly PayloadField[]): PacketKey {
  return { fields, loads: load(fields) };
}

export const hexAddress = (address: IpAddress): Hex => toHex(addressBytes(address));
export const hexPort = (port: number): Hex => hexOf(port, 2);
export const hexPorts = (source: number, destination: number): Hex =>
  hexPort(source) + hexPort(destination);
/** A key of an address and a port, which is padded to 4 bytes. */
export const hexPlace = (address: IpAddress, port: number): Hex =>
  `${hexAddress(address)}${hexPort(port)}0000`;
/** In host order, as the kernel keeps marks and states. */
export const hexHost = (number: number): Hex =>
  toHex(new Uint8Array(Uint32Array.of(number).buffer));
export const hexInterface = (name: string): Hex =>
  Buffer.from(name)
    .toString("hex")
    .padEnd(INTERFACE.bytes * 2, "0");

export function rule(...parts: readonly (readonly Expression[])[]): Rule {
  return { expressions: parts.flat(), comment: undefined };
}

/** `field == value` */
export function is(field: PayloadField, value: Hex, operator: CmpOperator = "eq"): Expression[] {
  return [
    { kind: "payload", ...field, to: 0 },
    { kind: "cmp", from: 0, operator, value },
  ];
}

/** `first <= field <= last` */
export function between(field: PayloadField, first: Hex, last: Hex): Expression[] {
  return [
    { kind: "payload", ...field, to: 0 },
    { kind: "range", from: 0, invert: false, first, last },
  ];
}

/** `field & mask == value` */
export function masked(
  field: PayloadField,
  mask: Hex,
  value: Hex,
  operator: CmpOperator = "eq",
): Expression[] {
  return [
    { kind: "payload", ...field, to: 0 },
    { kind: "bitwise", from: 0, to: 0, mask, xor: "00".repeat(field.length) },
    { kind: "cmp", from: 0, operator, value },
  ];
}

/** Nothing at all for a prefix that holds every address. */
export function within(field: PayloadField, { address, length }: Prefix): Expression[] {
  if (length === 0) return [];
  const mask = (0xffff_ffff << (32 - length)) >>> 0;
  const value = (addressBytes(address).readUInt32BE(0) & mask) >>> 0;
  if (length === 32) return is(field, hexOf(value, 4));
  return masked(field, hexOf(mask, 4), hexOf(value, 4));
}

export const isFragment: readonly Expression[] = masked(
  ip.fragment,
  hexOf(FRAGMENT_MASK, 2),
  hexOf(0, 2),
  "neq",
);

export const isLaterFragment: readonly Expression[] = masked(
  ip.fragment,
  hexOf(OFFSET_MASK, 2),
  hexOf(0, 2),
  "neq",
);

/** Of a TCP header: SYN and not RST. */
export const tcp = { isOpening: masked(transport(13, 1), hexOf(6, 1), hexOf(2, 1)) } as const;

export const protocolIs = (protocol: number): Expression[] => is(ip.protocol, hexOf(protocol, 1));

function load(fields: readonly PayloadField[]): Expression[] {
  let slot = 0;
  return fields.map((field) => {
    const to = slot;
    slot += paddedBytes(field.length) / 4;
    return { kind: "payload", ...field, to };
  });
}

/** Who sends: outer source and both ports. Shared by all rules, so that it is encoded once. */
export const SENDER = packetKey(ip.source, udp.ports);
/** What a packet of data is known by. */
export const SENDER_AND_INNER = packetKey(...SENDER.fields, inner.source);
/** The same, of who sends from any port. */
export const NODE = packetKey(ip.source, inner.source);

export function inSet(set: string, { loads }: PacketKey): Expression[] {
  return [...loads, { kind: "lookup", set, from: 0, to: undefined, invert: false }];
}

export function verdictMap(map: string, { loads }: PacketKey): Expression[] {
  return [...loads, { kind: "lookup", set: map, from: 0, to: "verdict", invert: false }];
}

/** Offset of the checksum in the IP header. */
const IP_CHECKSUM = 10;

/** An outer address from a register; the checksum of UDP goes with it where there is one. */
export function writeAddress(field: PayloadField, from: number): Expression {
  const checksum = { type: "inet", offset: IP_CHECKSUM, pseudoHeader: true } as const;
  return { kind: "payload-write", ...field, from, checksum };
}

/** The map's data for `field` into the first register. */
export function fromMap(map: string, { loads }: PacketKey): Expression[] {
  return [...loads, { kind: "lookup", set: map, from: 0, to: 0, invert: false }];
}

const verdict = (of: Verdict): Expression[] => [{ kind: "verdict", verdict: of }];
export const accept: readonly Expression[] = verdict({ code: "accept" });
export const drop: readonly Expression[] = verdict({ code: "drop" });
export const goTo = (chain: string): Expression[] => verdict({ code: "goto", chain });

/** Connection tracking does not see what is to pass it by. */
export function bypass(conntrack: "bypass" | "track"): readonly Expression[] {
  return conntrack === "bypass" ? NOTRACK : [];
}

const NOTRACK: readonly Expression[] = [{ kind: "notrack" }];
