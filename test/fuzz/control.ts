/**
 * Requests of whoever has the control socket open, over a real one:
 *
 *     node dist/test/fuzz/control.js --count 1000000 [--seed N]
 *
 * Each line has one response, in order, whatever it says, and none of them is a bug's; no command runs that
 * the line doesn't name; and when it is over nobody is left.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveControl } from "../../src/daemon/control.ts";
import { handlersOf, type Subject } from "../../src/daemon/handlers.ts";
import { createLog } from "../../src/daemon/log.ts";
import { longestRequest } from "../../src/daemon/protocol.ts";
import type { Status } from "../../src/tunnel/status.ts";
import { mutated, pick, type Random, random } from "../support/random.ts";
import { runTarget } from "./command.ts";
import { linesOf } from "./corpus.ts";

/** Requests on one connection. */
const TOGETHER = 100;

const empty: Status = {
  tunnels: [],
  queue: { received: 0, accepted: 0, refused: 0, dropped: 0 },
};

const pieces = [
  ...'[]{}:,"\\0 ',
  "null",
  "1e999",
  '"command":"status"',
  '"command":"forget","tunnel":"t","peer":"p"',
  '"command":"reauth"',
  '"__proto__":{"command":"reload"}',
  '"command":"toString"',
  '"command":"constructor"',
  '"confirmWithin":1e300',
  "\\ud800",
  "[".repeat(500),
  "x".repeat(3000),
];

function makeLine(next: Random, lines: readonly string[]): Buffer {
  let bytes: Buffer = Buffer.from(pick(next, lines));
  for (let count = next(3); count > 0; count--) {
    const start = next(bytes.length + 1);
    const end = start + (next(3) === 0 ? next(20) : 0);
    const piece = Buffer.from(pick(next, pieces));
    bytes = Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(end)]);
  }
  if (next(3) === 0) bytes = mutated(next, bytes);
  if (next(1000) === 0) bytes = Buffer.from('{"command":"events"}');
  if (next(20_000) === 0) bytes = Buffer.concat([bytes, Buffer.alloc(longestRequest, 0x20)]);
  return bytes;
}

const commands = ["status", "reload", "confirm", "reauth", "forget", "hello"];

function commandOf(line: string): unknown {
  try {
    return Object(JSON.parse(line)).command;
  } catch {
    return undefined;
  }
}

/** Throws at the first connection whose answers are wrong, naming what was sent. */
export async function fuzzControl(count: number, seed: number) {
  const next = random(seed);
  const lines = linesOf("control");
  const sums = { done: 0, refused: 0, followed: 0, "too long": 0 };
  const said: string[] = [];
  const instance = { status: async () => empty, reauth: () => 1, forget: () => 1 };
  async function ask<T>(question: (subject: Subject) => T): Promise<Awaited<T>> {
    return await question(instance);
  }
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-fuzz-"));
  const path = join(folder, "control.sock");
  const control = await serveControl({
    path,
    handlers: handlersOf(() => ({
      ask,
      reload: async () => ({ changes: [] }),
      confirm: () => true,
    })),
    streams: { events: () => () => {} },
    log: createLog({
      ...{ level: "debug", format: "text", journal: false },
      write: (line) => void said.push(line),
    }),
  });
  try {
    for (let done = 0; done < count; done += TOGETHER) {
      const parts: Buffer[] = [];
      for (let i = 0; i < TOGETHER; i++) parts.push(makeLine(next, lines), Buffer.from("\n"));
      const sent = Buffer.concat(parts);
      try {
        check(sent, await exchange(path, sent));
        assert.deepEqual(said, [], "a bug is logged");
      } catch (error) {
        const text = JSON.stringify(sent.toString("latin1"));
        throw new Error(`requests from ${done} of seed ${seed}: ${text}`, { cause: error });
      }
    }
  } finally {
    await control.close();
    rmSync(folder, { recursive: true });
  }
  return sums;

  function check(sent: Buffer, responses: readonly string[]): void {
    // What follows the last line break is no request.
    const requests = sent.toString("utf8").split("\n").slice(0, -1);
    for (const [i, request] of requests.entries()) {
      const { ok, error, result } = JSON.parse(responses[i] ?? assert.fail("no answer"));
      const command = commandOf(request);
      if (ok === true) {
        if (command === "events") {
          sums.followed++;
          assert.equal(responses.length, i + 1);
          return;
        }
        sums.done++;
        assert.ok(typeof command === "string" && commands.includes(command), request);
        assert.ok(result !== undefined);
      } else {
        assert.deepEqual([typeof error.message, error.exitCode], ["string", 2], error.message);
        assert.ok(!/\p{Cc}/u.test(error.message) && error.message.length < 300, error.message);
        sums.refused++;
        if (!/has at most/.test(error.message)) continue;
        sums["too long"]++;
        assert.equal(responses.length, i + 1);
        return;
      }
    }
    assert.equal(responses.length, requests.length);
  }
}

/** What comes back until the other end hangs up. */
async function exchange(path: string, sent: Buffer): Promise<string[]> {
  const socket = connect(path);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  // It may hang up while we still write, on too long a line.
  socket.on("error", () => {});
  socket.end(sent);
  await once(socket, "close");
  return Buffer.concat(chunks).toString("utf8").split("\n").slice(0, -1);
}

await runTarget(import.meta.url, "control", "requests", fuzzControl);
