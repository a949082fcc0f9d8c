/**
 * Replay marks that outlast the process, in `stateDirectory`. A packet's line is written before the packet
 * takes effect, so that a kill at any moment forgets none; the disk has it within a second, and what a power
 * failure may have cost is made up for by time: see {@link Marks.floor}.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { firstLine, lastLine, markLines, readJournal, stampLine } from "../wire/journal.ts";
import { both, type ReplayMark, type Stamp } from "../wire/replay.ts";

/** Bytes of lines after which the file is written anew with only what still matters. */
const LONGEST = 1 << 20;
/** Milliseconds within which a line is on the disk. */
const SYNC_DELAY = 1000;
/** Seconds after which a mark says no more than the clock does: the longest clock skew there can be. */
const FORGOTTEN = 596 * 3600;

export interface MarksOptions {
  readonly directory: string;
  /** One file for each table. */
  readonly table: string;
  /** Differs from one boot of the machine to the next. */
  readonly boot: string;
  /** Milliseconds since that of which we know nothing but what is in the file; free of the clock's jumps. */
  readonly uptime: () => number;
  readonly now?: () => number;
  /** What the instance before this one remembered, whatever became of its file. */
  readonly known?: Iterable<readonly [publicKey: Uint8Array, mark: ReplayMark]>;
  /** Something is wrong with the file: said once for each time that it begins. */
  readonly onTrouble: (reason: string) => void;
}

export class Marks {
  readonly #options: MarksOptions;
  readonly #marks: Map<string, ReplayMark>;
  readonly #path: string;
  #file: number | undefined;
  #length = 0;
  #sync: NodeJS.Timeout | undefined;
  #troubled = false;
  #rivalled = false;
  /** The file says itself that lines are missing. */
  #spoiled = false;
  /** Whether the file tells of all that was taken before we began. */
  #complete: boolean;
  /** What this is by the clock as it was when it was written. */
  #floor: number;

  constructor(options: MarksOptions) {
    this.#options = options;
    this.#path = join(options.directory, `replay-${encodeURIComponent(options.table)}.jsonl`);
    const journal = this.#read();
    this.#marks = journal?.marks ?? new Map();
    for (const [publicKey, mark] of options.known ?? []) this.#learn(nameOf(publicKey), mark);
    this.#complete = journal?.whole === true && (journal.clean || journal.boot === options.boot);
    this.#floor = this.#complete && journal !== undefined ? journal.floor : this.#began();
    if (this.#rewrite()) return;
    // Who was here before may have met the same disk.
    this.#complete = false;
    this.#floor = this.#began();
  }

  /**
   * Seconds since 1970: what was signed at or before it may have been taken by a process whose memory is
   * lost, and is not taken again. One that a clock far ahead of ours has set (an RTC before NTP) would lock
   * everybody out: then, and where the clock has leapt ahead since, our beginning by today's clock counts.
   * `skew`: milliseconds by which a packet may be ahead of ours.
   */
  floor(skew: number): number {
    if (this.#floor * 1000 > this.#now() + skew) return this.#began();
    return this.#complete ? this.#floor : Math.max(this.#floor, this.#began());
  }

  /** What was taken from this key so far. */
  of(publicKey: Uint8Array): ReplayMark | undefined {
    return this.#marks.get(nameOf(publicKey));
  }

  /** A packet of this key is about to be taken; `mark` is what holds then. */
  keep(publicKey: Uint8Array, stamp: Stamp, mark: ReplayMark): void {
    const name = nameOf(publicKey);
    // Two tunnels may wait for one key, each with a mark of its own.
    this.#learn(name, mark);
    this.#append(stampLine(name, stamp));
  }

  forget(publicKey: Uint8Array): void {
    const name = nameOf(publicKey);
    this.#marks.delete(name);
    this.#append(markLines(name, undefined));
  }

  /** A clean end: whoever comes next knows that nothing is missing. */
  close(): void {
    clearTimeout(this.#sync);
    this.#attempt(() => {
      if (this.#file === undefined) return;
      writeFileSync(this.#file, lastLine());
      fsyncSync(this.#file);
      closeSync(this.#file);
      this.#file = undefined;
    });
  }

  #read() {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") this.#complain(`${this.#path} can't be read (${code})`);
      return undefined;
    }
    const journal = readJournal(text);
    if (journal === undefined) {
      this.#complain(`${this.#path} holds no replay marks of this version: it is put aside`);
      this.#attempt(() => renameSync(this.#path, `${this.#path}.old`));
    }
    return journal;
  }

  #append(text: string): void {
    this.#reclaim();
    if (this.#file === undefined || this.#length > LONGEST) {
      if (!this.#rewrite()) this.#spoil();
      return;
    }
    const file = this.#file;
    const written = this.#attempt(() => {
      // All of it: where the disk is full, write(2) takes a part without a word.
      writeFileSync(file, text);
      this.#length += text.length;
      this.#sync ??= setTimeout(() => this.#flush(), SYNC_DELAY).unref();
    });
    if (written) return;
    // Half a line may stand there now: what follows must not be glued to it.
    this.#drop();
    this.#spoil();
  }

  /** The lock of the table is one network namespace's; the folder may be seen from several. */
  #reclaim(): void {
    if (this.#file === undefined || fstatSync(this.#file).nlink > 0) return;
    for (const [name, mark] of this.#read()?.marks ?? []) this.#learn(name, mark);
    this.#drop();
    if (this.#rivalled) return;
    this.#rivalled = true;
    this.#options.onTrouble(
      `${this.#path} was removed, or another ipipoud writes it: give each its own \`stateDirectory\``,
    );
  }

  /** A line is missing now: without its last line break the file says so to whoever reads it next. */
  #spoil(): void {
    if (this.#spoiled) return;
    this.#spoiled = this.#attempt(() => {
      const { size } = statSync(this.#path);
      if (size > 0) truncateSync(this.#path, size - 1);
    });
  }

  #flush(): void {
    this.#sync = undefined;
    const file = this.#file;
    if (file === undefined) return;
    fdatasync(file, (error) => {
      if (error === null || error.code === "EBADF") return;
      this.#complain(`fdatasync: ${error.code}`);
      // The kernel says it once and forgets what it could not write: the next line brings all of it again.
      if (this.#file === file) this.#drop();
    });
  }

  /** The whole file anew, beside the old one and then in its place: one of both is always whole. */
  #rewrite(): boolean {
    this.#drop();
    this.#tidy();
    const lines = [...this.#marks].map(([name, mark]) => markLines(name, mark));
    const text = firstLine(this.#options.boot, this.#floor) + lines.join("");
    return this.#attempt(() => {
      makeFolder(this.#options.directory);
      const beside = `${this.#path}.new`;
      const file = openSync(beside, "w", 0o600);
      try {
        writeFileSync(file, text);
        fsyncSync(file);
        renameSync(beside, this.#path);
        // Or a power failure brings the old one back, whose last line may say that it is complete.
        syncFolder(this.#options.directory);
      } catch (error) {
        closeSync(file);
        throw error;
      }
      this.#file = file;
      this.#length = 0;
      this.#troubled = false;
      this.#spoiled = false;
    });
  }

  /** Old marks go, and the floor says what they said: the clock that makes them old may be wrong. */
  #tidy(): void {
    const oldest = this.#now() / 1000 - FORGOTTEN;
    for (const [name, mark] of this.#marks) {
      const newest = mark.seen.reduce((most, { time }) => Math.max(most, time), mark.floor);
      if (newest >= oldest) continue;
      this.#marks.delete(name);
      this.#floor = Math.max(this.#floor, newest);
    }
  }

  #learn(name: string, mark: ReplayMark): void {
    const before = this.#marks.get(name);
    this.#marks.set(name, before === undefined ? mark : both(before, mark));
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  /** A second is what times are told in: packets of the one in which we began are taken. */
  #began(): number {
    return Math.max(0, Math.floor((this.#now() - this.#options.uptime()) / 1000) - 1);
  }

  #drop(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) this.#attempt(() => closeSync(file));
  }

  /** False: it failed, which is an event and no end. */
  #attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#complain(`${this.#path} can't be written (${code ?? message})`);
      return false;
    }
  }

  #complain(what: string): void {
    if (this.#troubled) return;
    this.#troubled = true;
    this.#options.onTrouble(
      `${what}: until that is mended a restart forgets which packets were taken (\`stateDirectory\`)`,
    );
  }
}

/** random(4): one for each boot of the machine. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** One level, as of /var/lib/ipipoud. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Short and of one length; whoever reads the file learns no key from it. */
function nameOf(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("base64").slice(0, 22);
}
