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

/** Lists read in a row; each comes within send(2), so that no timer would strike between them. */
const LISTS_IN_A_ROW = 32;

/** Datagrams read in one go; the rest waits for the next turn of the event loop. */
const READ_AT_ONCE = 512;

type Failure = KernelError | NoReply | MalformedMessage;

/** Messages of one datagram, with sequence numbers in a row, that something is still due for. */
interface Pending {
  readonly requests: readonly Request[];
  /** Time (performance.now) of the requests or of the last reply to them. */
  since: number;
  /** A reply that belongs to one of them. */
  message(message: Message): void;
  /** Request i was acknowledged (undefined) or refused; gives whether nothing more is due for any. */
  answer(i: number, failure: Failure | undefined): boolean;
  /** No answer will come for any. */
  fail(failure: Failure): void;
}

export class Netlink {
  readonly #socket: NetlinkSocket;
  readonly #options: Required<NetlinkOptions>;
  /** By the first sequence number. */
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Some reply was lost (ENOBUFS): what is still pending when everything was read has none. */
  #lost = false;
  /** The kernel refuses a second dump on one socket (EBUSY): they queue here. */
  #lastDump: Promise<unknown> = Promise.resolve();
  #dumps = 0;

  constructor(socket: NetlinkSocket, options: NetlinkOptions = {}) {
    this.#socket = socket;
    this.#options = { ...DEFAULTS, ...options };
    socket.start(() => this.#read());
    socket.unref();
  }

  /** By which the kernel tells others who has changed something. */
  get port(): number {
    return this.#socket.port;
  }

  /** One request, acknowledged; gives the replies that came with it. Rejects with {@link KernelError}. */
  request(request: Request): Promise<Message[]> {
    return new Promise((resolve, reject) => {
      const messages: Message[] = [];
      this.#send([request], () => NLM_F_ACK, {
        message: (message) => messages.push(message),
        answer: (_, failure) => {
          if (failure === undefined) resolve(messages);
          else reject(failure);
          return true;
        },
        fail: reject,
      });
    });
  }

  /**
   * Many requests, in order; result i belongs to request i. One that is refused doesn't stop the others.
   * Rejects only where no answer came ({@link NoReply}).
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
    if (requests.length === 0) return Promise.resolve();
    // `begin` is in front.
    const last = requests.length;
    return new Promise((resolve, reject) => {
      this.#send([begin, ...requests, end], (i) => (i === last ? NLM_F_ACK : 0), {
        message: () => {},
        answer: (i, failure) => {
          if (failure !== undefined) reject(failure);
          else if (i === last) resolve();
          return failure !== undefined || i === last;
        },
        fail: reject,
      });
    });
  }

  /**
   * A batch without its end, which the kernel looks through and takes back: result i is what it has against
   * request i. Rejects where it does not even begin, or is larger than the send buffer.
   */
  rehearse(begin: Request, requests: readonly Request[]): Promise<(KernelError | undefined)[]> {
    const results = new Array<KernelError | undefined>(requests.length).fill(undefined);
    if (requests.length === 0) return Promise.resolve(results);
    const last = requests.length;
    return new Promise((resolve, reject) => {
      this.#send([begin, ...requests], (i) => (i === last ? NLM_F_ACK : 0), {
        message: () => {},
        answer: (i, failure) => {
          const refused = failure instanceof KernelError && i > 0;
          if (refused) results[i - 1] = failure;
          else if (failure !== undefined) reject(failure);
          if (i === last) resolve(results);
          return i === last || (failure !== undefined && !refused);
        },
        fail: reject,
      });
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

  /**
   * One datagram of requests; resolves when all is known, or the datagram was too big to send. The kernel
   * answers each that it refuses, and otherwise only whom it is asked to (netlink_rcv_skb): the last. Had
   * a refusal been lost in a full receive buffer, so had this acknowledgement, which comes after it.
   */
  #exchange(
    requests: readonly Request[],
    refuse: (i: number, error: KernelError) => void,
  ): Promise<TooBig | undefined> {
    const last = requests.length - 1;
    return new Promise((resolve, reject) => {
      const answer = (i: number, failure: Failure | undefined): boolean => {
        if (failure instanceof KernelError) refuse(i, failure);
        else if (failure !== undefined) reject(failure);
        if (i === last) resolve(undefined);
        return i === last;
      };
      this.#send(requests, (i) => (i === last ? NLM_F_ACK : 0), {
        message: () => {},
        answer,
        fail: (failure) => {
          if (failure instanceof TooBig) resolve(failure);
          else if (!(failure instanceof KernelError)) reject(failure);
          else {
            for (const [i, { operation }] of requests.entries())
              answer(i, new KernelError(operation, failure.errno));
          }
        },
      });
    });
  }

  async #dumpWhole(request: Request): Promise<Message[]> {
    if (++this.#dumps % LISTS_IN_A_ROW === 0) await turn();
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
      this.#send([request], () => NLM_F_DUMP, {
        message: (message) => {
          if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
          if (message.type !== NLMSG_DONE) messages.push(message);
        },
        answer: (_, failure) => {
          if (failure === undefined) resolve({ messages, interrupted });
          else reject(failure);
          return true;
        },
        fail: reject,
      });
    });
  }

  /** The first of so many sequence numbers in a row. */
  #number(count: number): number {
    // 0 is what notifications carry.
    const first = this.#sequence + count > 0xffff_ffff ? 1 : this.#sequence + 1;
    this.#sequence = first + count - 1;
    return first;
  }

  #find(sequence: number): readonly [first: number, pending: Pending] | undefined {
    for (const entry of this.#pending) {
      const [first, { requests }] = entry;
      if (sequence >= first && sequence < first + requests.length) return entry;
    }
    return undefined;
  }

  #settle(sequence: number, failure: Failure | undefined): void {
    const [first, pending] = this.#find(sequence) ?? [];
    if (first === undefined || pending === undefined) return;
    if (pending.answer(sequence - first, failure)) this.#pending.delete(first);
  }

  #failAll(problem: string): void {
    for (const [first, pending] of [...this.#pending]) this.#fail(first, pending, problem);
  }

  #fail(first: number, pending: Pending, problem: string): void {
    this.#pending.delete(first);
    pending.fail(new NoReply(pending.requests[0]?.operation ?? "", problem));
  }

  /** One datagram. What it brings about goes to `handlers`. */
  #send(
    requests: readonly Request[],
    flagsOf: (i: number) => number,
    handlers: Omit<Pending, "requests" | "since">,
  ): void {
    const datagram = Buffer.alloc(requests.reduce((sum, request) => sum + messageSize(request), 0));
    const first = this.#number(requests.length);
    let offset = 0;
    for (const [i, request] of requests.entries()) {
      const flags = request.flags | NLM_F_REQUEST | flagsOf(i);
      offset = writeMessage(datagram, offset, request, flags, first + i);
    }
    this.#pending.set(first, { ...handlers, requests, since: performance.now() });
    try {
      if (this.#closed) throw new NoReply("", "the netlink socket is closed");
      this.#socket.send(datagram);
    } catch (error) {
      this.#pending.delete(first);
      handlers.fail(sendFailure(error, requests[0]?.operation ?? "", datagram.length));
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
    const [first, pending] = this.#find(message.sequence) ?? [];
    // Late answers to requests that were given up, and notifications.
    if (first === undefined || pending === undefined || message.type === NLMSG_NOOP) return;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
      this.#end(message, pending, pending.requests[message.sequence - first]);
    } else {
      pending.since = performance.now();
      pending.message(message);
    }
  }

  #end(message: Message, pending: Pending, request: Request | undefined): void {
    const { operation = "" } = request ?? {};
    try {
      const done = message.type === NLMSG_DONE;
      const answer = done ? decodeDone(message) : decodeError(message);
      if (done) pending.message(message);
      const refused =
        answer.errno === 0
          ? undefined
          : new KernelError(operation, answer.errno, answer, request?.payload);
      this.#settle(message.sequence, refused);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#settle(message.sequence, error.within(operation));
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
    const problem = `no reply from the kernel within ${this.#options.replyTimeout} ms`;
    for (const [first, pending] of [...this.#pending]) {
      if (pending.since <= late) this.#fail(first, pending, problem);
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
