/**
 * A small Linux in memory, behind the addon's interface: what the program sends is kept and comes back in
 * dumps, things go with what they depend on, nf_tables takes a batch whole or not at all, and who has joined
 * a group hears of changes. It knows no packets. Faults are put in front of it (see faults.ts).
 *
 * Requests and dumps have the same attributes in the kernel, so a payload is kept as it came. The kernel
 * tests show that the real one agrees.
 */
import { constants } from "node:os";
import { FOU_CMD_DEL } from "../../../src/kernel/fou.ts";
import { GENL_ID_CTRL } from "../../../src/kernel/genetlink.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNLGRP_NFTABLES,
} from "../../../src/kernel/nftables/constants.ts";
import type {
  Addon,
  Burst,
  NetlinkSocket,
  NetlinkSocketOptions,
  PayloadPattern,
  Queue,
  QueueCounters,
  QueueOptions,
} from "../../../src/native/addon.ts";
import {
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
} from "../../../src/netlink/constants.ts";
import { walkMessages, writeMessage } from "../../../src/netlink/messages.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { ack, datagram, done, systemError } from "../fake-kernel.ts";
import { Listeners } from "./listeners.ts";
import { groupOf, Rtnetlink } from "./rtnetlink.ts";
import { newGeneration, Tables } from "./tables.ts";

/** An errno. */
export class Refusal extends Error {
  readonly errno: number;
  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** What happens to one message in place of what should. */
export type Fault =
  /** It is refused. */
  | { readonly kind: "refused"; readonly errno: number }
  /** send(2) of its datagram fails; none of its messages is carried out. */
  | { readonly kind: "unsent"; readonly errno: number; readonly code: string }
  /** It is carried out, and what is said of it is lost: recv(2) fails with ENOBUFS. */
  | { readonly kind: "lost" }
  /** A list that changes while it is read; of anything else nothing happens. */
  | { readonly kind: "interrupted" };

export interface Sent {
  readonly protocol: number;
  readonly message: Message;
}

/** A family of netlink. */
export interface Family {
  /** The entries of a list. Throws {@link Refusal}. */
  dump(message: Message): Message[];
  /** Gives what comes before the acknowledgement. Throws {@link Refusal}. */
  request(message: Message): Message[];
}

export class Linux {
  readonly route = new Rtnetlink((message) => {
    const group = groupOf(message);
    if (group !== undefined) this.tell(NETLINK_ROUTE, group, [message]);
  });
  readonly generic = new Listeners();
  readonly tables = new Tables();
  /** Asked for each message; undefined: it goes its way. */
  fault: (sent: Sent) => Fault | undefined = () => undefined;
  readonly queues = new Map<number, FakeQueue>();
  readonly #sockets = new Set<FakeSocket>();
  #ports = 4711;

  get addon(): Addon {
    const linux = this;
    const NetlinkSocket = class extends FakeSocket {
      constructor(options: NetlinkSocketOptions) {
        super(linux, options.protocol, linux.#ports++);
        linux.#sockets.add(this);
      }
      override close(): void {
        linux.#sockets.delete(this);
      }
    };
    const Queue = class extends FakeQueue {
      constructor(options: QueueOptions) {
        super(linux, options.number);
      }
    };
    return {
      ...{ NetlinkSocket, Queue },
      notify: () => {},
      restrictTo: () => {},
      errnoName: (errno) => `errno ${errno}`,
      errnoText: (errno) => `errno ${errno}`,
      parseQueueDatagram: () => {
        throw new Error("no part of this");
      },
    };
  }

  /** All that is there, without what differs from one making to the next (indexes, handles). */
  get state(): string[] {
    return [...this.route.state, ...this.generic.state, ...this.tables.state].sort();
  }

  family(protocol: number): Family {
    if (protocol === NETLINK_ROUTE) return this.route;
    if (protocol === NETLINK_GENERIC) return this.generic;
    throw new Error(`no such family: ${protocol}`);
  }

  /** What has happened, to all who have joined this group. */
  tell(protocol: number, group: number, messages: readonly Message[]): void {
    for (const socket of this.#sockets) socket.hear(protocol, group, messages);
  }
}

class FakeSocket implements NetlinkSocket {
  readonly port: number;
  readonly #linux: Linux;
  readonly #protocol: number;
  readonly #queue: (Buffer | Error)[] = [];
  readonly #groups = new Set<number>();
  #onReadable: (() => void) | undefined;

  constructor(linux: Linux, protocol: number, port: number) {
    this.#linux = linux;
    this.#protocol = protocol;
    this.port = port;
  }

  send(data: Uint8Array): void {
    const messages: Message[] = [];
    walkMessages(Buffer.from(data), (message) => messages.push(message));
    const protocol = this.#protocol;
    const faults = new Map<Message, Fault>();
    for (const message of messages) {
      const fault = this.#linux.fault({ protocol, message });
      if (fault?.kind === "unsent") throw systemError(fault.code, fault.errno);
      if (fault !== undefined) faults.set(message, fault);
    }
    if (protocol === NETLINK_NETFILTER && (messages[0]?.flags ?? 0 & NLM_F_DUMP) !== 0) {
      this.#netfilter(messages, faults);
    } else for (const message of messages) this.#single(message, faults.get(message));
  }

  #netfilter(messages: readonly Message[], faults: ReadonlyMap<Message, Fault>): void {
    const [first] = messages;
    if (first !== undefined && (first.flags & NLM_F_DUMP) === NLM_F_DUMP) {
      this.#single(first, faults.get(first));
      return;
    }
    const refused = (message: Message): number => {
      const fault = faults.get(message);
      return fault?.kind === "refused" ? fault.errno : 0;
    };
    const lost = messages.some((message) => faults.get(message)?.kind === "lost");
    const answers = this.#linux.tables.batch(messages, refused);
    if (lost) this.#lose();
    else for (const { to, errno } of answers) this.#say(ack(to, errno));
    // A batch without an end was a rehearsal.
    const whole = messages.at(-1)?.type === NFNL_MSG_BATCH_END;
    if (!whole || answers.some(({ errno }) => errno !== 0)) return;
    const changes = messages.filter(
      ({ type }) => type !== NFNL_MSG_BATCH_BEGIN && type !== NFNL_MSG_BATCH_END,
    );
    const told = [...changes, newGeneration(this.port)].map((message) => ({
      ...{ ...message, port: this.port },
    }));
    this.#linux.tell(NETLINK_NETFILTER, NFNLGRP_NFTABLES, told);
  }

  #single(message: Message, fault: Fault | undefined): void {
    const isDump =
      (message.flags & NLM_F_DUMP) === NLM_F_DUMP && isQuestion(this.#protocol, message);
    try {
      if (fault?.kind === "refused" && !isTrue(this.#protocol, message, fault.errno)) {
        throw new Refusal(fault.errno);
      }
      const family =
        this.#protocol === NETLINK_NETFILTER
          ? this.#linux.tables
          : this.#linux.family(this.#protocol);
      if (fault?.kind === "refused" && isUnloaded(this.#protocol, message, fault.errno)) {
        this.#linux.generic.unload();
      }
      const answers = isDump
        ? family.dump(message)
        : family.request({ ...message, port: this.port });
      if (fault?.kind === "refused") throw new Refusal(fault.errno);
      if (fault?.kind === "lost") {
        this.#lose();
        return;
      }
      const flags = fault?.kind === "interrupted" ? NLM_F_DUMP_INTR : 0;
      const told = answers.map((answer) => ({
        ...{ ...answer, sequence: message.sequence, flags: NLM_F_MULTI | flags },
      }));
      // In few datagrams, as the kernel does: nobody wakes a reader here.
      if (told.length > 0) this.#queue.push(datagram(told));
      if (isDump) this.#say(done(message, 0, flags));
      else if ((message.flags & NLM_F_ACK) !== 0) this.#say(ack(message));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#say(ack(message, error.errno));
    }
  }

  #lose(): void {
    this.#queue.push(systemError("ENOBUFS", 105));
  }

  #say(message: Message): void {
    this.#queue.push(datagram([message]));
  }

  recv(): Buffer | undefined {
    const item = this.#queue.shift();
    if (item instanceof Error) throw item;
    return item;
  }

  /** A datagram each, as the kernel does. */
  hear(protocol: number, group: number, messages: readonly Message[]): void {
    if (protocol !== this.#protocol || !this.#groups.has(group)) return;
    for (const message of messages) this.#queue.push(notification(message));
    setImmediate(() => this.#onReadable?.());
  }

  join(group: number): void {
    this.#groups.add(group);
  }
  leave(group: number): void {
    this.#groups.delete(group);
  }
  start(onReadable: () => void): void {
    this.#onReadable = onReadable;
  }
  stop(): void {
    this.#onReadable = undefined;
  }
  ref(): void {}
  unref(): void {}
  close(): void {}
}

/** Unlike what is said to who asked, it bears the port of whoever did it. */
function notification({ type, flags, payload, port = 0 }: Message): Buffer {
  const bytes = Buffer.alloc((16 + payload.length + 3) & ~3);
  writeMessage(bytes, 0, { operation: "", type, flags, payload }, flags, 0);
  bytes.writeUInt32LE(port, 12);
  return bytes;
}

/** Refusals that are believed, so here they are true. */
function isTrue(protocol: number, message: Message, errno: number): boolean {
  return saysGone(protocol, message, errno) || isUnloaded(protocol, message, errno);
}

/** The module is unloaded, with all listeners, and loaded again. */
function isUnloaded(protocol: number, { type }: Message, errno: number): boolean {
  return protocol === NETLINK_GENERIC && type === GENL_ID_CTRL && errno === constants.errno.ENOENT;
}

/** When removing something: somebody else was faster. */
function saysGone(protocol: number, { type, payload }: Message, errno: number): boolean {
  const removes = protocol === NETLINK_ROUTE ? type % 4 === 1 : payload[0] === FOU_CMD_DEL;
  return removes && [constants.errno.ENOENT, constants.errno.ENODEV].includes(errno);
}

/** rtnetlink's flags for making something are those for a list: only questions have lists. */
function isQuestion(protocol: number, { type, payload }: Message): boolean {
  if (protocol === NETLINK_ROUTE) return type % 4 === 2;
  return protocol !== NETLINK_GENERIC || payload[0] === 3;
}

export class FakeQueue implements Queue {
  readonly #linux: Linux;
  readonly #number: number;
  #onBurst: ((burst: Burst) => void) | undefined;

  constructor(linux: Linux, number: number) {
    if (linux.queues.has(number)) throw systemError("EPERM", 1);
    this.#linux = linux;
    this.#number = number;
    linux.queues.set(number, this);
  }

  /** A packet comes, from its IP header on. */
  deliver(packet: Buffer): void {
    const offsets = Uint32Array.of(0, packet.length);
    this.#onBurst?.({ ids: Uint32Array.of(1), offsets, data: packet });
  }

  setPatterns(_: readonly PayloadPattern[]): void {}
  start(onBurst: (burst: Burst) => void): void {
    this.#onBurst = onBurst;
  }
  stop(): void {}
  verdict(): void {}
  counters(): QueueCounters {
    return { received: 0, rejected: 0, delivered: 0, malformed: 0 };
  }
  ref(): void {}
  unref(): void {}
  close(): void {
    if (this.#linux.queues.get(this.#number) === this) this.#linux.queues.delete(this.#number);
  }
}
