/**
 * What a start needed and nobody needs any more goes back to the system. V8 would keep it until as much
 * again has been allocated, which an idle daemon never does: a hub of 100,000 peers sat on 100 MB.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of heap below which it is not worth the pause. */
const MUCH = 32 << 20;

/** For what is small and stays for days: main.ts had the heap grow to many times of what was in use. */
export function growAsUsual(): void {
  endGrowth();
  // How far it may grow is reckoned at each collection, until the next.
  collect();
}

export function collectAfterStart(): void {
  endGrowth();
  if (process.memoryUsage().heapTotal >= MUCH) collect();
}

/** 0 is V8's own choice. */
function endGrowth(): void {
  setFlagsFromString("--heap-growing-percent=0");
}

/** The documented way to a collector at run time: the function is there for new contexts only. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof gc === "function") gc();
}
