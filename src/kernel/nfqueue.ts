/**
 * The verdict loop's TypeScript half: packets that passed the native patterns come in bursts and go out in
 * one call. Every one is dropped: an authentication is for us alone, and the tunnel's data never comes here.
 */
import type { Addon, PayloadPattern, QueueCounters, SystemError } from "../native/addon.ts";

export interface QueueSettings {
  readonly number: number;
  readonly maxLength: number;
  readonly patterns: readonly PayloadPattern[];
}

export interface PacketQueue {
  /** Called for each packet, from the IP header on; what it throws is the caller's bug. */
  start(onPacket: (packet: Buffer) => void, onError: (error: SystemError) => void): void;
  counters(): QueueCounters;
  close(): void;
}

/** Longest authentication is 1,000 bytes of token behind 60 + 8 of headers. */
const COPY_RANGE = 1500;
const RECEIVE_BUFFER = 4 << 20;
const NF_DROP = 0;

/** Throws SystemError: EPERM where another socket has the queue. */
export function openQueue(addon: Addon, settings: QueueSettings): PacketQueue {
  const queue = new addon.Queue({
    number: settings.number,
    maxLength: settings.maxLength,
    copyRange: COPY_RANGE,
    receiveBuffer: RECEIVE_BUFFER,
  });
  queue.setPatterns(settings.patterns);
  return {
    start(onPacket, onError) {
      queue.start(({ ids, offsets, data }) => {
        // First, so that the kernel's queue has room again before any signature is looked at.
        queue.verdict(ids, new Uint8Array(ids.length).fill(NF_DROP));
        for (let i = 0; i < ids.length; i++) onPacket(data.subarray(offsets[i], offsets[i + 1]));
      }, onError);
    },
    counters: () => queue.counters(),
    close: () => queue.close(),
  };
}
