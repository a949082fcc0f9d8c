/**
 * Replay marks that outlast the process, in `stateDirectory`. A packet's line is written before the packet
 * takes effect, so that a kill at any moment forgets none; the disk has it within a second, and what a power
 * failure may have cost is made up for by time: see {@link Marks.floor}.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { firstLine, lastLine, markLines, readJournal, stampLine } from "../wire/journal.ts";
import type { ReplayMark, Stamp } from "../wire/replay.ts";

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
  /** Milliseconds since 1970 at which this process began. */
  readonly began: number;
  readonly now?: () => number;
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

  /**
   * Seconds since 1970: what was signed at or before it may have been taken by a process whose memory is
   * lost, and is not taken again.
   */
  readonly floor: number;

  constructor(options: MarksOptions) {
    this.#options = options;
    this.#path = join(options.directory, `replay-${encodeURIComponent(options.table)}.jsonl`);
    const journal = this.#read();
    this.#marks = journal?.marks ?? new Map();
    const complete = journal?.whole === true && (journal.clean || journal.boot === options.boot);
    // A second is what times are told in: packets of the one in which we began are taken.
    this.floor = complete ? journal.floor : Math.floor(options.began / 1000) - 1;
    this.#rewrite();
  }

  /** What was taken from this key so far. */
  of(publicKey: Uint8Array): ReplayMark {
    const mark = this.#marks.get(nameOf(publicKey));
    return { floor: Math.max(this.floor, mark?.floor ?? 0), seen: mark?.seen ?? [] };
  }

  /** A packet of this key is about to be taken; `mark` is what holds then. */
  keep(publicKey: Uint8Array, stamp: Stamp, mark: ReplayMark): void {
    const name = nameOf(publicKey);
    this.#marks.set(name, mark);
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
      writeSync(this.#file, lastLine());
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
    if (this.#file === undefined || this.#length > LONGEST) {
      this.#rewrite();
      return;
    }
    const file = this.#file;
    const written = this.#attempt(() => {
      writeSync(file, text);
      this.#length += text.length;
      this.#sync ??= setTimeout(() => this.#flush(), SYNC_DELAY).unref();
    });
    // Half a line may stand there now: what follows must not be glued to it.
    if (!written) this.#drop();
  }

  #flush(): void {
    this.#sync = undefined;
    if (this.#file === undefined) return;
    fdatasync(this.#file, (error) => {
      if (error !== null && error.code !== "EBADF") this.#complain(`fdatasync: ${error.code}`);
    });
  }

  /** The whole file anew, beside the old one and then in its place: one of both is always whole. */
  #rewrite(): void {
    this.#drop();
    const oldest = (this.#options.now?.() ?? Date.now()) / 1000 - FORGOTTEN;
    for (const [name, mark] of this.#marks) {
      const newest = mark.seen.reduce((most, { time }) => Math.max(most, time), mark.floor);
      if (newest < oldest) this.#marks.delete(name);
    }
    const lines = [...this.#marks].map(([name, mark]) => markLines(name, mark));
    const text = firstLine(this.#options.boot, this.floor) + lines.join("");
    this.#attempt(() => {
      makeFolder(this.#options.directory);
      const beside = `${this.#path}.new`;
      const file = openSync(beside, "w", 0o600);
      try {
        writeSync(file, text);
        fsyncSync(file);
        renameSync(beside, this.#path);
      } catch (error) {
        closeSync(file);
        throw error;
      }
      this.#file = file;
      this.#length = 0;
      this.#troubled = false;
    });
  }

  #drop(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
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

/** Short and of one length; whoever reads the file learns no key from it. */
function nameOf(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("base64").slice(0, 22);
}
