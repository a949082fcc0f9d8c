/**
 * What every device of this namespace has received and sent: /proc/net/dev (net/core/net-procfs.c), which
 * costs a tenth of a link dump and is asked for every second.
 */
import { readFileSync } from "node:fs";

export interface PacketCounters {
  readonly received: number;
  readonly sent: number;
}

/** By device. Throws the file system's error. */
export function readCounters(file = "/proc/self/net/dev"): Map<string, PacketCounters> {
  return parseCounters(readFileSync(file, "utf8"));
}

/** Lines that are none of a device are passed over. */
export function parseCounters(text: string): Map<string, PacketCounters> {
  const counters = new Map<string, PacketCounters>();
  for (const line of text.split("\n")) {
    // No name of a device has a colon (dev_valid_name). Bytes, then packets, of 8 columns each way.
    const [name = "", rest] = line.split(":", 2);
    const columns = rest?.trim().split(/\s+/) ?? [];
    const [received, sent] = [Number(columns[1]), Number(columns[9])];
    if (columns.length < 16 || !Number.isSafeInteger(received) || !Number.isSafeInteger(sent)) {
      continue;
    }
    counters.set(name.trim(), { received, sent });
  }
  return counters;
}
