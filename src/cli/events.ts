/** How `ipipoud events` reads: one line an event, in the log's order of words. */
import type { TimedEvent } from "../daemon/broadcast.ts";
import { printable } from "../net/printable.ts";

/** `13:04:05 ipipou0/laptop authenticated 198.51.100.2:40001`, with the reason in brackets. */
export function renderEvent(line: unknown): string {
  const { time, event, tunnel, peer, endpoint, reason } = line as TimedEvent;
  const where = [tunnel, peer].filter((part) => part !== null).join("/");
  const words = [clock(time), where === "" ? "-" : where, event];
  if (endpoint !== null) words.push(endpoint);
  if (reason !== null) words.push(`(${reason})`);
  return printable(words.join(" "));
}

/** The local time of day. */
function clock(time: string): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
