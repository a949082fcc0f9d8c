/**
 * Which queues a process holds, and what waits there: /proc/net/netfilter/nfnetlink_queue
 * (seq_show in net/netfilter/nfnetlink_queue.c).
 */
import { readFileSync } from "node:fs";

export interface QueueState {
  readonly number: number;
  /** The netlink port of who holds it. */
  readonly port: number;
  /** Packets that wait for a verdict. */
  readonly waiting: number;
  /** Packets that found it full, or that could not be handed over. */
  readonly dropped: number;
}

/** undefined: this user may not see it. */
export function readQueues(
  file = "/proc/self/net/netfilter/nfnetlink_queue",
): readonly QueueState[] | undefined {
  try {
    return parseQueues(readFileSync(file, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Without the module nobody holds any.
    if (code === "ENOENT") return [];
    if (code === "EACCES" || code === "EPERM") return undefined;
    throw error;
  }
}

/** Lines of another form are passed over. */
export function parseQueues(text: string): QueueState[] {
  const queues: QueueState[] = [];
  for (const line of text.split("\n")) {
    const [number, port, waiting, , , full, lost] = line.trim().split(/\s+/).map(Number);
    const all = [number, port, waiting, full, lost];
    if (!all.every((value) => Number.isSafeInteger(value))) continue;
    queues.push({
      number: number ?? 0,
      port: port ?? 0,
      waiting: waiting ?? 0,
      dropped: (full ?? 0) + (lost ?? 0),
    });
  }
  return queues;
}
