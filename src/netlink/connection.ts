/**
 * A conversation with the kernel over one socket: each reply finds its request by sequence number.
 *
 * The kernel works through a datagram within send(2) and answers before that returns (rtnetlink, generic
 * netlink and nf_tables alike), so replies are read at once and most requests never wait for the poll.
 * Notifications don't belong on this socket: see events.ts.
 */
import type { NetlinkSocket, SystemError } from "../native/addon.ts";
import { MalformedMessage } from "./attributes.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
} from "./constants.ts";
import { KernelError, NoReply } from "./errors.ts";
import { decodeDone, decodeError, messageSize, walkMessages, writeMessage } from "./messages.ts";
import type { Message, Request } from "./request.ts";

export interface NetlinkOptions {
  /** Milliseconds without a word from the kernel after which a request rejects. */
  readonly replyTimeout?: number;
  /** Bytes of one datagram of requestAll(). The kernel's limit is SO_SNDBUF less 32. */
  readonly datagram?: number;
  /**
   * Requests in flight at once. An acknowledgement takes 768 bytes of the receive buffer (its sk_buff
   * counts, not its 36 bytes), which holds 212,992 by default; one that doesn't fit is lost.
   */
  readonly inFlight?: number;
  /** How often an interrupted dump is started again. */
  readonly dumpAttempts?: number;
}

const DEFAULTS = { replyTimeout: 10_000, datagram: 65_536, inFlight: 128, dumpAttempts: 20 };

/** Datagrams read in one go; the rest waits for the next turn of the event loop. */
const READ_AT_ONCE = 512;

type Failure = KernelError | NoReply | MalformedMessage;

/** One sequence number that an answer is due for. */
interface Pending {
  readonly operation: string;
  /** The request's, where an error should quote from it. */
  readonly payload?: Uint8Array;
  /** Time (performance.now) of the request or of the last reply to it. */
  since: number;
  /** A reply that belongs to it. */
  message(message: Message): void;
  /** Its end; undefined: acknowledged. */
  settle(failure: Failure | undefined): void;
}

export class Netlink {
  readonly #socket: NetlinkSocket;
  readonly #options: Required<NetlinkOptions>;
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Some reply was lost (ENOBUFS): what is still pending when everything was read has none. */
  #lost = false;
  /** The kernel refuses a second dump on one socket (EBUSY): they queue here. */
  #lastDump: Promise<unknown> = Promise.resolve();

  constructor(socket: NetlinkSocket, options: NetlinkOptions = {}) {
    this.#socket = socket;
    this.#options = { ...DEFAULTS, ...options };
    socket.start(() => this.#read());
    socket.unref();
  }

  /** One request, acknowledged; gives the replies that came with it. Rejects with {@link KernelError}. */
  request(request: Request): Promise<Message[]> {
    return new Promise((resolve, reject) => {
      const messages: Message[] = [];
      const sequence = this.#expect({
        operation: request.operation,
        message: (message) => messages.push(message),
        settle: (failure) => (failure === undefined ? resolve(messages) : reject(failure)),
      });
      this.#send([request], [NLM_F_ACK], [sequence]);
    });
  }

  /**
   * Many requests, acknowledged each, in order; result i belongs to request i. One that is refused doesn't
   * stop the others. Rejects only where no answer came ({@link NoReply}).
   */
  async requestAll(requests: readonly Request[]): Promise<(KernelError | undefined)[]> {
    const results = new Array<KernelError | undefined>(requests.length).fill(undefined);
    let next = 0;
    let limit = this.#options.datagram;
    while (next < requests.length) {
      const end = this.#fill(requests, next, limit);
      const first = next;
      const tooBig = await this.#exchange(requests.slice(first, end), (i, refused) => {
        results[first + i] = refused;
      });
      if (tooBig === undefined) next = end;
      else if (end - first === 1) results[next++] = tooBig;
      // A small send buffer, of which nothing was carried out: in smaller datagrams.
      else limit = Math.floor(tooBig.bytes / 2);
      if (next < requests.length) await turn();
    }
    return results;
  }

  /** All messages of a list. Started again when the kernel says that it changed while it was read. */
  dump(request: Request): Promise<Message[]> {
    const result = this.#lastDump.then(() => this.#dumpWhole(request));
    this.#lastDump = result.catch(() => undefined);
    return result;
  }

  /**
   * `begin`, requests, `end` as one datagram, which takes effect whole or not at all. Rejects with the
   * first {@link KernelError}; EMSGSIZE: more than the send buffer holds, the caller has to split.
   *
   * The acknowledgement is asked for on the last real message: kernels before 6.12 never acknowledge the
   * end, and errors of the commit come with the number of `begin` (nfnetlink_rcv_batch).
   */
  batch(begin: Request, requests: readonly Request[], end: Request): Promise<void> {
    const last = requests.length - 1;
    if (last < 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const sequences: number[] = [];
      const finish = (failure: Failure | undefined): void => {
        for (const sequence of sequences) this.#forget(sequence);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const all = [begin, ...requests, end];
      for (const [i, request] of all.entries()) {
        const sequence = this.#expect({
          operation: request.operation,
          payload: request.payload,
          message: () => {},
          settle: (failure) => {
            if (failure !== undefined || i === last + 1) finish(failure);
          },
        });
        sequences.push(sequence);
      }
      const flags = all.map((_, i) => (i === last + 1 ? NLM_F_ACK : 0));
      this.#send(all, flags, sequences);
    });
  }

  /** Rejects what is pending and closes the socket. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#failAll("the netlink socket was closed");
  }

  /** The end (exclusive) of the requests from `first` on that go into one datagram: at least one. */
  #fill(requests: readonly Request[], first: number, limit: number): number {
    let bytes = 0;
    let end = first;
    for (; end < requests.length && end - first < this.#options.inFlight; end++) {
      const request = requests[end];
      if (request === undefined) break;
      bytes += messageSize(request);
      if (bytes > limit && end > first) break;
    }
    return end;
  }

  /** One datagram of requests; resolves when each has its answer, or the datagram was too big to send. */
  #exchange(
    requests: readonly Request[],
    answer: (i: number, refused: KernelError | undefined) => void,
  ): Promise<TooBig | undefined> {
    return new Promise((resolve, reject) => {
      let left = requests.length;
      const sequences = requests.map((request, i) =>
        this.#expect({
          operation: request.operation,
          message: () => {},
          settle: (failure) => {
            left--;
            if (failure instanceof TooBig) resolve(failure);
            else if (failure instanceof KernelError) answer(i, failure);
            else if (failure !== undefined) reject(failure);
            if (left === 0) resolve(undefined);
          },
        }),
      );
      const flags = new Array<number>(requests.length).fill(NLM_F_ACK);
      this.#send(requests, flags, sequences);
    });
  }

  async #dumpWhole(request: Request): Promise<Message[]> {
    for (let attempt = 0; attempt < this.#options.dumpAttempts; attempt++) {
      const { messages, interrupted } = await this.#dumpOnce(request);
      if (!interrupted) return messages;
      await turn();
    }
    const times = this.#options.dumpAttempts;
    throw new NoReply(request.operation, `the list changed while it was read, ${times} times`);
  }

  #dumpOnce(request: Request): Promise<{ messages: Message[]; interrupted: boolean }> {
    return new Promise((resolve, reject) => {
      const messages: Message[] = [];
      let interrupted = false;
      const sequence = this.#expect({
        operation: request.operation,
        message: (message) => {
          if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
          if (message.type !== NLMSG_DONE) messages.push(message);
        },
        settle: (failure) => {
          if (failure === undefined) resolve({ messages, interrupted });
          else reject(failure);
        },
      });
      this.#send([request], [NLM_F_DUMP], [sequence]);
    });
  }

  /** Gives the sequence number whose answers go to `pending`. */
  #expect(pending: Omit<Pending, "since">): number {
    // 0 is what notifications carry.
    this.#sequence = this.#sequence === 0xffff_ffff ? 1 : this.#sequence + 1;
    this.#pending.set(this.#sequence, { ...pending, since: performance.now() });
    return this.#sequence;
  }

  #forget(sequence: number): void {
    this.#pending.delete(sequence);
  }

  #settle(sequence: number, failure: Failure | undefined): void {
    const pending = this.#pending.get(sequence);
    this.#pending.delete(sequence);
    pending?.settle(failure);
  }

  #failAll(problem: string): void {
    for (const [sequence, { operation }] of [...this.#pending]) {
      this.#settle(sequence, new NoReply(operation, problem));
    }
  }

  #send(
    requests: readonly Request[],
    flags: readonly number[],
    sequences: readonly number[],
  ): void {
    const datagram = Buffer.alloc(requests.reduce((sum, request) => sum + messageSize(request), 0));
    let offset = 0;
    for (const [i, request] of requests.entries()) {
      const all = request.flags | NLM_F_REQUEST | (flags[i] ?? 0);
      offset = writeMessage(datagram, offset, request, all, sequences[i] ?? 0);
    }
    try {
      if (this.#closed) throw new NoReply("", "the netlink socket is closed");
      this.#socket.send(datagram);
    } catch (error) {
      for (const [i, sequence] of sequences.entries()) {
        const operation = requests[i]?.operation ?? "";
        this.#settle(sequence, sendFailure(error, operation, datagram.length));
      }
      return;
    }
    this.#read();
    this.#watch();
  }

  /** Reads what is there. */
  #read(): void {
    for (let i = 0; i < READ_AT_ONCE && !this.#closed; i++) {
      let datagram: Buffer | undefined;
      try {
        datagram = this.#socket.recv();
      } catch (error) {
        if ((error as Partial<SystemError>).code !== "ENOBUFS") {
          this.#failAll(`receiving failed: ${error instanceof Error ? error.message : error}`);
          return;
        }
        this.#lost = true;
        continue;
      }
      if (datagram === undefined) {
        this.#everythingRead();
        break;
      }
      this.#take(datagram);
    }
    if (this.#pending.size === 0) this.#watch();
  }

  #take(datagram: Buffer): void {
    try {
      walkMessages(datagram, (message) => this.#route(message));
    } catch (error) {
      // What can't be read names no request: the one that it was for rejects when its time is up.
      if (!(error instanceof MalformedMessage)) throw error;
    }
  }

  #route(message: Message): void {
    if (message.type === NLMSG_OVERRUN) this.#lost = true;
    const pending = this.#pending.get(message.sequence);
    // Late answers to requests that were given up, and notifications.
    if (pending === undefined || message.type === NLMSG_NOOP) return;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) this.#end(message, pending);
    else {
      pending.since = performance.now();
      pending.message(message);
    }
  }

  #end(message: Message, pending: Pending): void {
    try {
      const done = message.type === NLMSG_DONE;
      const answer = done ? decodeDone(message) : decodeError(message);
      if (done) pending.message(message);
      const { operation, payload } = pending;
      const refused =
        answer.errno === 0 ? undefined : new KernelError(operation, answer.errno, answer, payload);
      this.#settle(message.sequence, refused);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#settle(message.sequence, error.within(pending.operation));
    }
  }

  /** Answers are there when send(2) returns, so after a loss what has none by now will get none. */
  #everythingRead(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#failAll("the kernel's reply was lost, the receive buffer was full");
  }

  /** Keeps the event loop alive, and the time in view, while answers are due. */
  #watch(): void {
    if (this.#closed) return;
    if (this.#pending.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#socket.unref();
    } else if (this.#timer === undefined) {
      this.#socket.ref();
      this.#timer = setTimeout(() => this.#expire(), this.#options.replyTimeout);
    }
  }

  #expire(): void {
    this.#timer = undefined;
    // The event loop may have been busy all the while: look before giving up.
    this.#read();
    const late = performance.now() - this.#options.replyTimeout;
    for (const [sequence, { operation, since }] of [...this.#pending]) {
      if (since > late) continue;
      const problem = `no reply from the kernel within ${this.#options.replyTimeout} ms`;
      this.#settle(sequence, new NoReply(operation, problem));
    }
    this.#watch();
  }
}

/** send(2) found the datagram larger than the send buffer; nothing was carried out. */
class TooBig extends KernelError {
  readonly bytes: number;

  constructor(operation: string, errno: number, bytes: number) {
    super(operation, errno, { text: `${bytes} bytes are more than the send buffer holds` });
    this.bytes = bytes;
  }
}

function sendFailure(error: unknown, operation: string, bytes: number): Failure {
  if (error instanceof NoReply) return new NoReply(operation, error.problem);
  const { errno, code } = error as Partial<SystemError>;
  if (typeof errno !== "number") throw error;
  // Node's own errors carry it negative.
  const positive = Math.abs(errno);
  return code === "EMSGSIZE"
    ? new TooBig(operation, positive, bytes)
    : new KernelError(operation, positive);
}

/** The next turn of the event loop: long lists shall not keep everything else waiting. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
