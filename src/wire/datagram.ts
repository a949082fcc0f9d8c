/** Outer IPv4 and UDP headers: built for a raw socket, read from what a queue hands over. */
import { addressBytes, addressFromBytes, type Endpoint, familyOf } from "../net/address.ts";
import { checksum, onesSum } from "./checksum.ts";

const ipHeaderLength = 20;
const udpHeaderLength = 8;
const protocolUdp = 17;
/** What the 16-bit total length leaves. */
const longestPayload = 65_535 - ipHeaderLength - udpHeaderLength;

export interface Datagram {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly payload: Uint8Array;
}

/**
 * A whole IPv4 packet with both checksums. DF is clear: a proof that a narrow path must cut in two still
 * arrives. The identification is 0, which has the kernel choose one when it sends (raw(7)).
 * Throws RangeError for an IPv6 address, a port out of range or a payload that does not fit.
 */
export function buildDatagram(datagram: Datagram, ttl: number): Buffer {
  const { source, destination, payload } = datagram;
  if (familyOf(source.address) !== "ipv4" || familyOf(destination.address) !== "ipv4") {
    throw new RangeError("outer datagrams are IPv4");
  }
  if (payload.length > longestPayload) throw new RangeError("the payload fits no datagram");
  const packet = Buffer.alloc(ipHeaderLength + udpHeaderLength + payload.length);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt8(ttl, 8);
  packet.writeUInt8(protocolUdp, 9);
  packet.set(addressBytes(source.address), 12);
  packet.set(addressBytes(destination.address), 16);
  packet.writeUInt16BE(checksum(packet.subarray(0, ipHeaderLength), 0), 10);

  const udp = packet.subarray(ipHeaderLength);
  udp.writeUInt16BE(source.port, 0);
  udp.writeUInt16BE(destination.port, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, udpHeaderLength);
  // The pseudo-header (RFC 768): both addresses, the protocol, the length.
  const pseudo = onesSum(packet.subarray(12, ipHeaderLength), protocolUdp + udp.length);
  // A sum of 0 is sent as its other spelling: 0 would say that there is no checksum.
  udp.writeUInt16BE(checksum(udp, pseudo) || 0xffff, 6);
  return packet;
}

/**
 * A packet from its IP header on; undefined for whatever is no whole UDP datagram over IPv4 from an
 * address and port that one can answer: other protocols and versions, fragments, lengths that
 * contradict each other, multicast, class E and 0.0.0.0/8 as source, port 0.
 * Checksums are not looked at: the old ipipou sends 0, and what matters here is signed or compared.
 * The payload is a view into `packet`.
 */
export function parseDatagram(packet: Uint8Array): Datagram | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.length);
  if (bytes.length < ipHeaderLength || bytes.readUInt8(0) >> 4 !== 4) return undefined;
  const headerLength = (bytes.readUInt8(0) & 15) * 4;
  const totalLength = bytes.readUInt16BE(2);
  if (headerLength < ipHeaderLength || totalLength > bytes.length) return undefined;
  if (totalLength < headerLength + udpHeaderLength) return undefined;
  // More fragments, or an offset: all but DF and the reserved bit.
  if ((bytes.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
  if (bytes.readUInt8(9) !== protocolUdp) return undefined;

  const udp = bytes.subarray(headerLength, totalLength);
  const udpLength = udp.readUInt16BE(4);
  if (udpLength < udpHeaderLength || udpLength > udp.length) return undefined;
  const source = endpoint(bytes.subarray(12, 16), udp.readUInt16BE(0));
  const destination = endpoint(bytes.subarray(16, 20), udp.readUInt16BE(2));
  if (source === undefined || destination === undefined) return undefined;
  return { source, destination, payload: udp.subarray(udpHeaderLength, udpLength) };
}

function endpoint(bytes: Buffer, port: number): Endpoint | undefined {
  const first = bytes.readUInt8(0);
  const address = addressFromBytes(bytes);
  if (first === 0 || first >= 224 || port === 0 || address === undefined) return undefined;
  return { address, port };
}
