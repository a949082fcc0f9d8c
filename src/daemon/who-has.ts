/** Which process a netlink port belongs to: the kernel gives a socket its process's number where that is free. */
import { readFileSync } from "node:fs";

/** PID_MAX_LIMIT: beyond it are numbers that the kernel chose for want of a free one. */
const LAST_PROCESS = 1 << 22;

/** Read at once and not in turn: the commands of people are gone in a moment. */
export function whoHas(port: number): string {
  if (port > LAST_PROCESS) return "another program";
  const name = nameOf(port);
  return name === undefined ? `process ${port}` : `${name} (process ${port})`;
}

function nameOf(process: number): string | undefined {
  try {
    return readFileSync(`/proc/${process}/comm`, "utf8").trimEnd();
  } catch {
    return undefined;
  }
}
