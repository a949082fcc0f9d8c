/** Datagrams as nfnetlink_queue sends them, and packets to put into them; little-endian hosts only. */

export const NLMSG_ERROR = 2;
export const QUEUE_PACKET = 0x300; // NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET
export const NFQA_PACKET_HDR = 1;
export const NFQA_IFINDEX_INDEV = 5;
export const NFQA_PAYLOAD = 10;

/** nlmsghdr and body; `length` is what the header claims. No padding: the queue sends none. */
export function message(type: number, body: Uint8Array, length = 16 + body.length): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(length, 0);
  header.writeUInt16LE(type, 4);
  return Buffer.concat([header, body]);
}

/** nlattr and value, padded to four unless it is the last. */
export function attribute(
  type: number,
  value: Uint8Array,
  { length = 4 + value.length, last = false } = {},
): Buffer {
  const bytes = Buffer.alloc(last ? 4 + value.length : (4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

/** NFQA_PACKET_HDR's value: id, protocol, hook. */
export function packetHeader(id: number): Buffer {
  const bytes = Buffer.alloc(7);
  bytes.writeUInt32BE(id, 0);
  bytes.writeUInt16BE(0x0800, 4);
  return bytes;
}

/** One packet's message, with what the kernel puts between id and payload. */
export function packetMessage(id: number, packet: Uint8Array): Buffer {
  return message(
    QUEUE_PACKET,
    Buffer.concat([
      Buffer.from([2, 0, 0, 5]), // nfgenmsg: AF_INET, version, queue 5
      attribute(NFQA_PACKET_HDR, packetHeader(id)),
      attribute(NFQA_IFINDEX_INDEV, Buffer.from([0, 0, 0, 1])),
      attribute(NFQA_PAYLOAD, packet, { last: true }),
    ]),
  );
}

export function errorMessage(errno: number): Buffer {
  const body = Buffer.alloc(20);
  body.writeInt32LE(-errno, 0);
  return message(NLMSG_ERROR, body);
}

function udp(port: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(4321, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([bytes, payload]);
}

/** IPv4 with UDP; `options` are IPv4 header options, a multiple of four bytes. */
export function ipv4Packet(port: number, payload: Uint8Array, options = Buffer.alloc(0)): Buffer {
  const datagram = udp(port, payload);
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45 + options.length / 4, 0);
  header.writeUInt16BE(20 + options.length + datagram.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(17, 9);
  header.set([192, 0, 2, 1, 203, 0, 113, 1], 12);
  return Buffer.concat([header, options, datagram]);
}

export function ipv6Packet(port: number, payload: Uint8Array): Buffer {
  const datagram = udp(port, payload);
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(datagram.length, 4);
  header.writeUInt8(17, 6);
  return Buffer.concat([header, datagram]);
}
