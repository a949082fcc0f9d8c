/**
 * The file that outlives the process, torn, changed, put together from others and brought back:
 *
 *     node dist/test/fuzz/state.js --count 1000000 [--seed N]
 *
 * Whatever it holds, it is read without a throw, and no more of it is believed than was written. Now and then
 * a daemon's memory is started from it: then no packet that was taken before is taken again, and a new one is.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Marks } from "../../src/daemon/marks.ts";
import { readJournal } from "../../src/wire/journal.ts";
import { judge, raised, type Stamp } from "../../src/wire/replay.ts";
import { mutated, pick, type Random, random } from "../support/random.ts";
import { runTarget } from "./command.ts";
import { filesOf } from "./corpus.ts";

const NOW = 1_800_000_000;
/** One in so many is given to a new process. */
const STARTED = 500;
/** A file is written anew, by a process that takes packets, after so many inputs. */
const LIFE = 2000;
const rules = { policy: "strict", maxClockSkew: 300_000 } as const;

const keys = [1, 2, 3, 4].map((byte) => Buffer.alloc(32, byte));

interface World {
  readonly directory: string;
  readonly file: string;
  readonly taken: { readonly key: Buffer; readonly stamp: Stamp }[];
  /** The file at several moments of the process's life. */
  readonly states: Buffer[];
}

function marksAt(directory: string, boot: string, began: number, clock = { now: began }): Marks {
  return new Marks({
    ...{ directory, table: "ipipou", boot, onTrouble: () => {} },
    uptime: () => (clock.now - began) * 1000,
    now: () => clock.now * 1000,
  });
}

/** Whether it is taken now; if so it is kept. */
function take(marks: Marks, key: Buffer, stamp: Stamp, now: number): boolean {
  const mark = raised(marks.of(key), marks.floor(key, rules.maxClockSkew));
  const judgement = judge(mark, stamp, now * 1000, rules);
  if (judgement.verdict !== "fresh" || judgement.mark === undefined) return false;
  marks.keep(key, stamp, judgement.mark, "198.51.100.2:40001");
  return true;
}

/** A process takes packets for a while, from clocks that are right or late. */
function live(next: Random, directory: string): World {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const file = join(directory, "replay-ipipou.jsonl");
  const clock = { now: NOW };
  const marks = marksAt(directory, "first", NOW, clock);
  const taken: World["taken"] = [];
  const states: Buffer[] = [];
  for (let i = 0; i < 20; i++) {
    clock.now += next(3);
    const stamp = { time: clock.now - next(2), salt: String(next(1000)) };
    const key = pick(next, keys);
    if (take(marks, key, stamp, clock.now)) taken.push({ key, stamp });
    if (next(30) === 0) marks.forget(Buffer.alloc(32, 9));
    if (next(5) === 0) states.push(readFileSync(file));
  }
  if (next(2) === 0) marks.close();
  states.push(readFileSync(file));
  return { directory, file, taken, states };
}

function damaged(next: Random, { states }: World, corpus: readonly Buffer[]): Buffer {
  const state = pick(next, states);
  switch (next(6)) {
    case 0:
      return state.subarray(0, next(state.length));
    case 1: {
      const lines = state.toString("latin1").split("\n");
      lines.splice(next(lines.length), 1 + next(2), ...(next(2) === 0 ? [pick(next, lines)] : []));
      return Buffer.from(lines.join("\n"), "latin1");
    }
    case 2:
      return mutated(next, pick(next, corpus));
    default:
      return mutated(next, state);
  }
}

/** Throws at the first text that breaks a promise, naming it. */
export function fuzzState(count: number, seed: number) {
  const next = random(seed);
  const corpus = filesOf("state");
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-fuzz-"));
  const directory = join(folder, "state");
  const sums = { foreign: 0, whole: 0, damaged: 0, started: 0 };
  let world = live(next, directory);

  /** Nothing was invented: what is believed was written, in this order, or all of it is somebody else's. */
  function read(text: string): void {
    const journal = readJournal(text);
    if (journal === undefined) {
      sums.foreign++;
      return;
    }
    sums[journal.whole ? "whole" : "damaged"]++;
    if (journal.whole) {
      const known = [...world.states, ...corpus].some((state) =>
        state.toString("utf8").startsWith(text),
      );
      assert.ok(known, "believed as a whole, and never written");
    }
    for (const [name, { mark, last, lead }] of journal.keys) {
      assert.ok(name.length > 0 && (lead?.now ?? 0) >= 0 && (lead?.before ?? 0) >= 0);
      assert.ok(mark === undefined || mark.floor >= 0);
      assert.ok(last === undefined || typeof last.from === "string");
    }
  }

  function start(text: Buffer): void {
    sums.started++;
    rmSync(world.file, { force: true });
    writeFileSync(world.file, text);
    const now = NOW + 100;
    const marks = marksAt(directory, next(2) === 0 ? "first" : "second", now);
    for (const { key, stamp } of world.taken) assert.ok(!take(marks, key, stamp, now), "a replay");
    assert.ok(take(marks, pick(next, keys), { time: now, salt: "new" }, now), "a lock-out");
    marks.close();
  }

  try {
    for (let i = 0; i < count; i++) {
      if (i % LIFE === LIFE - 1) world = live(next, directory);
      const input = damaged(next, world, corpus);
      try {
        read(input.toString("utf8"));
        if (i % STARTED === 0) start(input);
      } catch (error) {
        const shown = JSON.stringify(input.toString("latin1"));
        throw new Error(`text ${i} of seed ${seed}: ${shown}`, { cause: error });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return sums;
}

await runTarget(import.meta.url, "state", "texts", fuzzState);
