/** What can go wrong between a request and its reply. What can't be read is {@link MalformedMessage}. */
import { constants } from "node:os";
import type { KernelAnswer } from "./messages.ts";

/** Bytes of a nlmsghdr. */
const NLMSG_HDRLEN = 16;

/**
 * The kernel refused a request: `RTM_NEWLINK ipipou0: EEXIST (the kernel's own text)`.
 * A refusal by send(2) itself (EMSGSIZE, ENOBUFS) is one too.
 */
export class KernelError extends Error {
  override readonly name = "KernelError";
  readonly operation: string;
  /** Positive, as in errno.h. */
  readonly errno: number;
  /** "EEXIST" */
  readonly code: string;
  /** Extended ACK: NLMSGERR_ATTR_MSG. */
  readonly kernelText: string | undefined;
  /** Extended ACK: where in the request, from its nlmsghdr on, the attribute stands that was refused. */
  readonly attributeOffset: number | undefined;
  /** Extended ACK: the number of an attribute that the request lacks (6.1 and newer). */
  readonly missingAttribute: number | undefined;
  /** The request from the refused attribute on, where the kernel says which and the request is at hand. */
  readonly refused: Uint8Array | undefined;

  constructor(
    operation: string,
    errno: number,
    answer: Partial<KernelAnswer> = {},
    payload?: Uint8Array,
  ) {
    const code = errnoName(errno);
    const detail =
      answer.text ??
      (answer.missingAttribute === undefined
        ? undefined
        : `attribute ${answer.missingAttribute} is missing`);
    super(`${operation}: ${code}${detail === undefined ? "" : ` (${detail})`}`);
    this.operation = operation;
    this.errno = errno;
    this.code = code;
    this.kernelText = answer.text;
    this.attributeOffset = answer.attributeOffset;
    this.missingAttribute = answer.missingAttribute;
    const { attributeOffset: offset } = answer;
    this.refused = offset === undefined ? undefined : payload?.subarray(offset - NLMSG_HDRLEN);
  }
}

/**
 * There is no answer: whether the request was carried out is unknown. `operation` says which, `problem`
 * why: closed meanwhile, lost in a full receive buffer, not sent in time, a list that kept changing.
 */
export class NoReply extends Error {
  override readonly name = "NoReply";
  readonly operation: string;
  readonly problem: string;

  constructor(operation: string, problem: string) {
    super(`${operation}: ${problem}`);
    this.operation = operation;
    this.problem = problem;
  }
}

/**
 * The C name of an errno. Where one number has two names, the one that the kernel's sources use.
 * ENOTSUPP is the kernel's own (include/linux/errno.h) and comes out of netlink all the same.
 */
export function errnoName(errno: number): string {
  if (errno === 524) return "ENOTSUPP";
  if (errno === constants.errno.EOPNOTSUPP) return "EOPNOTSUPP";
  if (errno === constants.errno.EAGAIN) return "EAGAIN";
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found?.[0] ?? `errno ${errno}`;
}
