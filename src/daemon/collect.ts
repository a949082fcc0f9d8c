/**
 * What a start needed and nobody needs any more goes back to the system. V8 would keep it until as much
 * again has been allocated, which an idle daemon never does: a hub of 100,000 peers sat on 100 MB.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of heap below which it is not worth the pause. */
const MUCH = 96 << 20;

export function collectAfterStart(): void {
  // main.ts had it grow to many times of what was in use; 0 is V8's own choice.
  setFlagsFromString("--heap-growing-percent=0");
  if (process.memoryUsage().heapTotal < MUCH) return;
  // The documented way to a collector at run time: the function is there for new contexts only.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect();
}
