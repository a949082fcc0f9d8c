/** The other end of a netlink socket, for tests: answers what a test tells it to. */
import type { NetlinkSocket, SystemError } from "../../src/native/addon.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../../src/netlink/constants.ts";
import { EXTENDED_ACK, walkMessages, writeMessage } from "../../src/netlink/messages.ts";
import type { Message } from "../../src/netlink/request.ts";

/** What one datagram of requests brings about: call answer() and others. */
export type Behaviour = (requests: readonly Message[], kernel: FakeKernel) => void;

export class FakeKernel implements NetlinkSocket {
  readonly port = 4711;
  readonly groups = new Set<number>();
  /** Datagrams that came, as messages. */
  readonly received: Message[][] = [];
  referenced = true;
  closed = false;
  readonly #queue: (Buffer | Error)[] = [];
  readonly #behave: Behaviour;
  #onReadable: (() => void) | undefined;

  constructor(behave: Behaviour = () => {}) {
    this.#behave = behave;
  }

  /** One datagram back. */
  answer(...messages: readonly Message[]): void {
    this.#queue.push(datagram(messages));
  }

  /** Anything back: bytes, or an error that recv() throws. */
  raw(item: Buffer | Error): void {
    this.#queue.push(item);
  }

  /** Says that there is something to read, as the poll would. */
  wake(): void {
    this.#onReadable?.();
  }

  send(data: Uint8Array): void {
    const messages: Message[] = [];
    walkMessages(Buffer.from(data), (message) => messages.push(message));
    this.received.push(messages);
    this.#behave(messages, this);
  }

  recv(): Buffer | undefined {
    const item = this.#queue.shift();
    if (item instanceof Error) throw item;
    return item;
  }

  join(group: number): void {
    this.groups.add(group);
  }

  leave(group: number): void {
    this.groups.delete(group);
  }

  start(onReadable: () => void): void {
    this.#onReadable = onReadable;
  }

  stop(): void {
    this.#onReadable = undefined;
  }

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }

  close(): void {
    this.closed = true;
    this.#onReadable = undefined;
  }
}

/** The acknowledgement of a request, or its refusal with the kernel's words. */
export function ack(to: Message, errno = 0, text?: string, offset?: number): Message {
  const tlvs = EXTENDED_ACK.encode({ text, offset });
  const payload = Buffer.alloc(20);
  payload.writeInt32LE(-errno, 0);
  payload.writeUInt32LE(16 + to.payload.length, 4);
  payload.writeUInt16LE(to.type, 8);
  payload.writeUInt32LE(to.sequence, 12);
  const flags = NLM_F_CAPPED | (tlvs.length > 0 ? NLM_F_ACK_TLVS : 0);
  return {
    type: NLMSG_ERROR,
    flags,
    sequence: to.sequence,
    payload: Buffer.concat([payload, tlvs]),
  };
}

/** The end of a dump. */
export function done(to: Message, errno = 0, flags = 0): Message {
  const payload = Buffer.alloc(4);
  payload.writeInt32LE(-errno, 0);
  return { type: NLMSG_DONE, flags, sequence: to.sequence, payload };
}

export function reply(to: Message, type: number, payload: string, flags = 0): Message {
  return { type, flags, sequence: to.sequence, payload: Buffer.from(payload) };
}

export function datagram(messages: readonly Message[]): Buffer {
  const size = messages.reduce((sum, { payload }) => sum + ((16 + payload.length + 3) & ~3), 0);
  const buffer = Buffer.alloc(size);
  let offset = 0;
  for (const { type, flags, sequence, payload } of messages) {
    const request = { operation: "", type, flags, payload };
    offset = writeMessage(buffer, offset, request, flags, sequence);
  }
  return buffer;
}

export function systemError(code: string, errno: number): SystemError {
  return Object.assign(new Error(code), { code, errno, syscall: "recv" });
}
