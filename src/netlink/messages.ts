/**
 * Messages in a datagram (struct nlmsghdr), acknowledgements and errors (struct nlmsgerr with extended
 * ACK attributes): include/uapi/linux/netlink.h, net/netlink/af_netlink.c (netlink_ack).
 */
import {
  attr,
  MalformedMessage,
  readS32,
  readU16,
  readU32,
  string,
  table,
  u32,
  writeU16,
  writeU32,
} from "./attributes.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED } from "./constants.ts";
import { type Message, type Request, TableRequest } from "./request.ts";

/** sizeof(struct nlmsghdr) */
const HEADER = 16;
/** The error number in front of an nlmsgerr and of the payload of NLMSG_DONE. */
const ERRNO = 4;

const aligned = (bytes: number): number => (bytes + 3) & ~3;

export const EXTENDED_ACK = table({
  text: attr(1, string, "NLMSGERR_ATTR_MSG"),
  offset: attr(2, u32, "NLMSGERR_ATTR_OFFS"),
  missingAttribute: attr(5, u32, "NLMSGERR_ATTR_MISS_TYPE"),
});

/** Bytes that a request takes in a datagram. */
export function messageSize(request: Request): number {
  return aligned(HEADER + payloadSize(request));
}

function payloadSize(request: Request): number {
  return request instanceof TableRequest ? request.size : request.payload.length;
}

/** Writes header, payload and padding; gives the offset behind. `into` is zeroed where it goes. */
export function writeMessage(
  into: Buffer,
  at: number,
  request: Request,
  flags: number,
  sequence: number,
): number {
  const length = HEADER + payloadSize(request);
  writeU32(into, length, at);
  writeU16(into, request.type, at + 4);
  writeU16(into, flags, at + 6);
  writeU32(into, sequence, at + 8);
  if (request instanceof TableRequest) request.write(into, at + HEADER);
  else into.set(request.payload, at + HEADER);
  return at + aligned(length);
}

/**
 * Calls back for each message of a datagram, as views into it. The last may end unaligned (nfqueue and
 * conntrack send such). Throws {@link MalformedMessage} after those that could be read.
 */
export function walkMessages(datagram: Buffer, visit: (message: Message) => void): void {
  let offset = 0;
  while (offset + HEADER <= datagram.length) {
    const length = readU32(datagram, offset);
    if (length < HEADER || offset + length > datagram.length) {
      const left = datagram.length - offset;
      throw new MalformedMessage(`nlmsghdr says ${length} bytes where ${left} are left`);
    }
    visit({
      type: readU16(datagram, offset + 4),
      flags: readU16(datagram, offset + 6),
      sequence: readU32(datagram, offset + 8),
      port: readU32(datagram, offset + 12),
      payload: datagram.subarray(offset + HEADER, offset + length),
    });
    offset += aligned(length);
  }
}

/** What NLMSG_ERROR or NLMSG_DONE says. */
export interface KernelAnswer {
  /** 0: done; positive: refused. */
  readonly errno: number;
  readonly text: string | undefined;
  readonly attributeOffset: number | undefined;
  readonly missingAttribute: number | undefined;
}

/** Reads NLMSG_ERROR: the error, the request's header, its payload unless capped, extended ACK. */
export function decodeError(message: Message): KernelAnswer {
  const { payload, flags } = message;
  if (payload.length < ERRNO + HEADER) {
    throw new MalformedMessage(
      `want ${ERRNO + HEADER} bytes, got ${payload.length}`,
      "NLMSG_ERROR",
    );
  }
  const quoted = (flags & NLM_F_CAPPED) === 0 ? aligned(readU32(payload, ERRNO)) : HEADER;
  return answer("NLMSG_ERROR", message, ERRNO + Math.max(HEADER, quoted));
}

/** Reads NLMSG_DONE: a dump can fail at its end. Old kernels send no error number with it. */
export function decodeDone(message: Message): KernelAnswer {
  return answer("NLMSG_DONE", message, ERRNO);
}

function answer(name: string, { payload, flags }: Message, tlvs: number): KernelAnswer {
  const errno = payload.length < ERRNO ? 0 : -readS32(payload, 0);
  const extended = (flags & NLM_F_ACK_TLVS) !== 0 && tlvs <= payload.length;
  try {
    const values = extended ? EXTENDED_ACK.decode(payload, tlvs) : {};
    return {
      // An error is negative on the wire; what isn't can only mean success (-0 becomes 0).
      errno: Math.max(0, errno),
      text: values.text === "" ? undefined : values.text,
      attributeOffset: values.offset,
      missingAttribute: values.missingAttribute,
    };
  } catch (error) {
    throw error instanceof MalformedMessage ? error.within(name) : error;
  }
}
