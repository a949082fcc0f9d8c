/** rtnetlink messages made by hand, so that the addon's tests need nothing above it; little-endian hosts only. */

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;
export const RTNLGRP_LINK = 1;

const NLM_F_REQUEST_DUMP = 0x301;

/** RTM_GETLINK for all links: nlmsghdr and an empty ifinfomsg. */
export function dumpLinks(sequence: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(RTM_GETLINK, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
  bytes.writeUInt32LE(sequence, 8);
  return bytes;
}

/** Type and sequence of each message in a datagram. */
export function* messagesOf(datagram: Buffer): Generator<{ type: number; sequence: number }> {
  for (let at = 0; at + 16 <= datagram.length; at += (datagram.readUInt32LE(at) + 3) & ~3) {
    yield { type: datagram.readUInt16LE(at + 4), sequence: datagram.readUInt32LE(at + 8) };
  }
}
