/** Bytes of IPv4 packets for tests that play the stranger: any source, any content. */
import { Buffer } from "node:buffer";

const octets = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

export interface Ipv4 {
  readonly source: string;
  readonly destination: string;
  /** 1 ICMP, 4 IPIP, 6 TCP, 17 UDP. */
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly ttl?: number;
  readonly id?: number;
}

/** RFC 791, no options, checksum right. */
export function ipv4({ source, destination, protocol, payload, ttl = 64, id = 0 }: Ipv4): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(id, 4);
  header[8] = ttl;
  header[9] = protocol;
  octets(source).copy(header, 12);
  octets(destination).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

export interface Udp {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** An IPv4 packet with UDP, RFC 768; checksum 0, as FOU's and the old ipipou's are. */
export function udp(fields: Udp): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(fields.sourcePort, 0);
  header.writeUInt16BE(fields.destinationPort, 2);
  header.writeUInt16BE(8 + fields.payload.length, 4);
  return ipv4({ ...fields, protocol: 17, payload: Buffer.concat([header, fields.payload]) });
}

/** An ICMP echo request in IPv4: what may be put into a tunnel. */
export function echoRequest(source: string, destination: string, sequence = 1): Buffer {
  const payload = Buffer.alloc(64);
  payload[0] = 8;
  payload.writeUInt16BE(0x1234, 4);
  payload.writeUInt16BE(sequence, 6);
  payload.writeUInt16BE(checksum(payload), 2);
  return ipv4({ source, destination, protocol: 1, payload });
}

/** The same packet in two pieces (RFC 791): the first has the ports and the inner header. */
export function fragments(packet: Buffer, id: number): [Buffer, Buffer] {
  const first = 48;
  const piece = (from: number, to: number, flagsAndOffset: number): Buffer => {
    const header = Buffer.from(packet.subarray(0, 20));
    header.writeUInt16BE(20 + to - from, 2);
    header.writeUInt16BE(id, 4);
    header.writeUInt16BE(flagsAndOffset, 6);
    header.writeUInt16BE(0, 10);
    header.writeUInt16BE(checksum(header), 10);
    return Buffer.concat([header, packet.subarray(20 + from, 20 + to)]);
  };
  const moreFragments = 0x2000;
  return [piece(0, first, moreFragments), piece(first, packet.length - 20, first / 8)];
}

/** RFC 1071, over a field that is still 0. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
