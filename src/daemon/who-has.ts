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

/** Milliseconds in which a port has not passed from one process to another. */
const LATELY = 100;

/** The same, for a flood of changes: of one port in a row it is looked up once. */
export function whoHasLately(look = whoHas, clock = () => performance.now()) {
  let last: { readonly port: number; readonly at: number; readonly words: string } | undefined;
  return (port: number): string => {
    const at = clock();
    if (last?.port !== port || at - last.at > LATELY) last = { port, at, words: look(port) };
    return last.words;
  };
}

function nameOf(process: number): string | undefined {
  try {
    return readFileSync(`/proc/${process}/comm`, "utf8").trimEnd();
  } catch {
    return undefined;
  }
}
