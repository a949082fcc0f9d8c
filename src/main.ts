#!/usr/bin/env node
/** The edge: the only user of process.argv, of exit and of signals. */
import { fstatSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setFlagsFromString } from "node:v8";
import type { Io, Signals } from "./cli/io.ts";
import { wantsColor } from "./cli/paint.ts";
import { run } from "./cli/run.ts";

// Most that runs often here does so once, at a start: V8 would spend a third of that on making it faster.
setFlagsFromString("--interrupt-budget=300000");
// And what it makes stays: to look through the growing heap again and again finds little. The daemon ends
// this when it is ready, and so does what is watched for days (daemon/collect.ts).
setFlagsFromString("--heap-growing-percent=3000");

const io: Io = {
  out: (chunk) => void process.stdout.write(chunk),
  err: (chunk) => void process.stderr.write(chunk),
  read: () => text(process.stdin),
  get color() {
    return wantsColor(process.stdout.isTTY, process.env);
  },
  get outIsPublicFile() {
    const stat = fstatSync(1);
    return stat.isFile() && (stat.mode & 0o007) !== 0;
  },
  get terminal() {
    // A terminal that doesn't know its size has that of a VT100.
    return process.stdout.isTTY ? { rows: process.stdout.rows || 24 } : undefined;
  },
  signals: catchSignals,
};

// Whoever read our output has gone (`ipipoud status | head -1`): nobody is left to be told.
process.stdout.on("error", () => process.exit(0));
// A log that nobody reads any more is no reason to end.
process.stderr.on("error", () => {});

const code = await run(process.argv.slice(2), io);
// Pipes are written in the background: exit only once they have it all.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));

function catchSignals(): Signals {
  return {
    onStop: caught("SIGTERM", "SIGINT"),
    onReload: caught("SIGHUP"),
    onReauth: caught("SIGUSR1"),
  };
}

/** Catches the signals at once, and remembers one for the callback that is still to come. */
function caught(...signals: NodeJS.Signals[]): (callback: () => void) => void {
  let pending = false;
  let notify = () => {
    pending = true;
  };
  for (const signal of signals) process.on(signal, () => notify());
  return (callback) => {
    notify = callback;
    if (pending) callback();
    pending = false;
  };
}
