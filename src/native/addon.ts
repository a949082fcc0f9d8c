/**
 * The native side: system calls and errno, nothing else. Whatever fails throws a {@link SystemError}.
 * Nothing in C++ knows an attribute of any family but the queue's.
 */
import { createRequire } from "node:module";

/** What every native call throws: an Error with the C name and number of errno. */
export interface SystemError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
}

export interface NetlinkSocketOptions {
  /** NETLINK_ROUTE 0, NETLINK_GENERIC 16, NETLINK_NETFILTER 12. */
  readonly protocol: number;
  /** Bytes; forced (SO_RCVBUFFORCE) where we may, asked for (SO_RCVBUF) where not. */
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
  /** NETLINK_GET_STRICT_CHK. */
  readonly strictChecking?: boolean;
  /** NETLINK_NO_ENOBUFS: losses are not reported. Without it recv() throws ENOBUFS once per loss. */
  readonly noEnobufs?: boolean;
}

/**
 * One netlink socket, non-blocking, with NETLINK_EXT_ACK and NETLINK_CAP_ACK set, bound to a port of the
 * kernel's choice. Messages that another process sent (sender's port not 0) never come out of recv().
 */
export interface NetlinkSocket {
  readonly port: number;
  /** Sends one datagram, whole. Throws EMSGSIZE, ENOBUFS, EAGAIN, … */
  send(data: Uint8Array): void;
  /** One whole datagram in a buffer of its own, or undefined: none now (EAGAIN), or closed. */
  recv(): Buffer | undefined;
  /** Multicast group by number (not mask). */
  join(group: number): void;
  leave(group: number): void;
  /** Calls back whenever recv() may give something; survives POLLERR. At most one callback at a time. */
  start(onReadable: () => void): void;
  stop(): void;
  /** Whether it keeps the event loop alive while started (default: it does). */
  ref(): void;
  unref(): void;
  /** Idempotent. */
  close(): void;
}

/** A numeric test of a big-endian field in a UDP payload: passes when min ≤ value ≤ max. */
export interface FieldTest {
  /** Bytes from the start of the UDP payload. */
  readonly offset: number;
  /** 1 to 6 bytes. */
  readonly width: number;
  readonly min: number;
  readonly max: number;
}

/** One kind of payload that is worth a look: any of these passing is enough. */
export interface PayloadPattern {
  /** Destination port. */
  readonly port: number;
  readonly minLength: number;
  readonly maxLength: number;
  readonly tests: readonly FieldTest[];
}

export interface QueueOptions {
  /** NFQUEUE number, 0 to 65535. */
  readonly number: number;
  /** Packets the kernel holds at most. */
  readonly maxLength: number;
  /** Bytes of each packet that are copied to us. */
  readonly copyRange: number;
  readonly receiveBuffer: number;
}

/**
 * Packets that passed the patterns, in order of arrival. `data` holds them back to back, from the
 * IP header on; packet i is `data.subarray(offsets[i], offsets[i + 1])` (offsets has one more entry).
 * The buffers are the receiver's to keep.
 */
export interface Burst {
  readonly ids: Uint32Array;
  readonly offsets: Uint32Array;
  readonly data: Buffer;
}

/** What one datagram from the queue's socket comes to. */
export interface ParsedDatagram extends Burst {
  /** Packets to drop at once: they match no pattern, or their message was cut. */
  readonly rejected: Uint32Array;
  /** Messages that are none, or lack parts. */
  readonly malformed: number;
  /** An errno with which the kernel refused a verdict, or 0. ENOENT (packet gone already) is none. */
  readonly refusal: number;
}

export interface QueueCounters {
  /** Packets that the kernel handed over. */
  readonly received: number;
  /** Dropped here for matching no pattern. */
  readonly rejected: number;
  /** Handed to the callback. */
  readonly delivered: number;
  /** Messages that were no well-formed ones; a packet whose message was cut counts as rejected too. */
  readonly malformed: number;
}

/**
 * An NFQUEUE queue: binds (EPERM: another socket has it), copies packets, takes verdicts. IPv4, and IPv6
 * without extension headers; whole packets only, so that a fragment or one that `copyRange` cuts is rejected.
 */
export interface Queue {
  /** Replaces all patterns; until the first call everything is rejected. A rejected packet is dropped. */
  setPatterns(patterns: readonly PayloadPattern[]): void;
  /** What onError gets leaves the queue working: packets lost (ENOBUFS), a verdict refused. */
  start(onBurst: (burst: Burst) => void, onError: (error: SystemError) => void): void;
  stop(): void;
  /**
   * NF_DROP 0 or NF_ACCEPT 1 for each id, in one send. What the kernel has no memory for at the moment is
   * sent again later. An id that the kernel has given up meanwhile is no error.
   */
  verdict(ids: Uint32Array, verdicts: Uint8Array): void;
  counters(): QueueCounters;
  ref(): void;
  unref(): void;
  close(): void;
}

export interface Addon {
  readonly NetlinkSocket: new (options: NetlinkSocketOptions) => NetlinkSocket;
  readonly Queue: new (options: QueueOptions) => Queue;
  /** One datagram to $NOTIFY_SOCKET's address: a path, or `@` and a name in the abstract namespace. */
  notify(address: string, message: string): void;
  /**
   * Leaves all threads of the process no capability but those of this mask (1 << number), and no way to get another:
   * bounding and ambient set, no_new_privs. But for threads that block all signals, which run no code of ours.
   */
  restrictTo(capabilities: number): void;
  /** if_nametoindex(3)'s job is netlink's; this is only errno's: the C name and the kernel's text. */
  errnoName(errno: number): string;
  errnoText(errno: number): string;
  /**
   * Parses one datagram as the queue's socket would and gives what would come of it, without a socket:
   * for fuzzing.
   */
  parseQueueDatagram(data: Uint8Array, patterns: readonly PayloadPattern[]): ParsedDatagram;
}

/** Loads what package.json's imports call `#addon`, or what IPIPOUD_ADDON names: the sanitizer build. */
export function loadAddon(): Addon {
  const require = createRequire(import.meta.url);
  const path = process.env["IPIPOUD_ADDON"] ?? "#addon";
  return require(path) as Addon;
}
