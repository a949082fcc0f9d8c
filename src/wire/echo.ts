/** ICMP echo (RFC 792): built for a raw socket, which adds the IP header, and read with it. */
import { addressFromBytes, type IpAddress } from "../net/address.ts";
import { checksum } from "./checksum.ts";

const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const HEADER = 8;
const PROTOCOL_ICMP = 1;

export interface Echo {
  /** 16 bits. */
  readonly identifier: number;
  /** 16 bits. */
  readonly sequence: number;
  /** What a stranger can't guess: whoever gives it back has had the request. */
  readonly nonce: Uint8Array;
}

export function buildEchoRequest({ identifier, sequence, nonce }: Echo): Buffer {
  const message = Buffer.alloc(HEADER + nonce.length);
  message.writeUInt8(ECHO_REQUEST, 0);
  message.writeUInt16BE(identifier, 4);
  message.writeUInt16BE(sequence, 6);
  message.set(nonce, HEADER);
  message.writeUInt16BE(checksum(message), 2);
  return message;
}

export interface EchoReply extends Echo {
  readonly source: IpAddress;
}

/**
 * A packet from its IP header on; undefined for whatever is no whole echo reply with a right checksum (a
 * raw socket gets packets before the kernel's ICMP has looked at that).
 */
export function parseEchoReply(packet: Uint8Array): EchoReply | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.length);
  if (bytes.length < 20 || bytes.readUInt8(0) >> 4 !== 4) return undefined;
  const headerLength = (bytes.readUInt8(0) & 15) * 4;
  const totalLength = bytes.readUInt16BE(2);
  if (headerLength < 20 || totalLength > bytes.length) return undefined;
  if (totalLength < headerLength + HEADER || bytes.readUInt8(9) !== PROTOCOL_ICMP) return undefined;
  if ((bytes.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
  const message = bytes.subarray(headerLength, totalLength);
  if (message.readUInt8(0) !== ECHO_REPLY || message.readUInt8(1) !== 0) return undefined;
  const source = addressFromBytes(bytes.subarray(12, 16));
  if (source === undefined || checksum(message) !== 0) return undefined;
  return {
    source,
    identifier: message.readUInt16BE(4),
    sequence: message.readUInt16BE(6),
    nonce: message.subarray(HEADER),
  };
}
