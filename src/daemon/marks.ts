/**
 * Replay marks that outlast the process, in `stateDirectory`, and where and when each key was last proven. A
 * packet's line is written before the packet takes effect, so that a kill at any moment forgets none; the disk has
 * it within a second, and what a power failure may have cost is made up for by time: see {@link Marks.floor}.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
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
import {
  type Entry,
  endEntry,
  headEntry,
  type Journal,
  keptEntries,
  type Lead,
  leadEntry,
  readJournal,
  type Seen,
  sealed,
  stampEntry,
} from "../wire/journal.ts";
import { both, type ReplayMark, type Stamp } from "../wire/replay.ts";

/** Bytes of lines after which the file is written anew with only what still matters, or as many as there are then. */
const LONGEST = 1 << 20;
/** Seconds in which a clock that is ahead is counted. */
const LEAD_STEP = 10;
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
  readonly #last: Map<string, Seen>;
  /** Seconds by which a key's clock has been ahead of ours: the disk has it before the packet takes effect. */
  readonly #leads: Map<string, Lead>;
  readonly #names = new WeakMap<Uint8Array, string>();
  readonly #path: string;
  #file: number | undefined;
  /** Bytes of the file as it was written as a whole, and of the lines since then. */
  #whole = 0;
  #length = 0;
  #check = "";
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
    const found = this.#read();
    const journal = found?.journal;
    this.#marks = new Map();
    this.#last = new Map();
    this.#leads = new Map();
    for (const [name, { mark, last, lead }] of journal?.keys ?? []) {
      if (mark !== undefined) this.#marks.set(name, mark);
      if (last !== undefined) this.#last.set(name, last);
      if (lead !== undefined) this.#leads.set(name, lead);
    }
    for (const [publicKey, mark] of options.known ?? []) this.#learn(this.#nameOf(publicKey), mark);
    // A copy that somebody brought back lacks what was taken since.
    this.#complete =
      journal?.whole === true &&
      journal.file === found?.file &&
      (journal.clean || journal.boot === options.boot);
    this.#floor = this.#complete && journal !== undefined ? journal.floor : this.#begun();
    if (this.#rewrite()) return;
    // Who was here before may have met the same disk.
    this.#complete = false;
    this.#floor = this.#begun();
  }

  /**
   * Seconds since 1970: what this key signed at or before it may have been taken by a process whose memory is
   * lost, and is not taken again. One that a clock far ahead of ours has set (an RTC before NTP) would lock
   * everybody out: then, and where the clock has leapt ahead since, our beginning by today's clock counts.
   * What a clock that is ahead has signed by our beginning bears a later time.
   * `skew`: milliseconds by which a packet may be ahead of ours.
   */
  floor(publicKey: Uint8Array, skew: number): number {
    const lead = this.#leads.get(this.#nameOf(publicKey))?.before ?? 0;
    if (this.#floor * 1000 > this.#now() + skew) return this.#began() + lead;
    return (this.#complete ? this.#floor : Math.max(this.#floor, this.#began())) + lead;
  }

  /** What was taken from this key so far. */
  of(publicKey: Uint8Array): ReplayMark | undefined {
    return this.#marks.get(this.#nameOf(publicKey));
  }

  /** Where and when this key was last proven. */
  last(publicKey: Uint8Array): Seen | undefined {
    return this.#last.get(this.#nameOf(publicKey));
  }

  /** A packet of this key is about to be taken; `mark` is what holds then. */
  keep(publicKey: Uint8Array, stamp: Stamp, mark: ReplayMark, from: string): void {
    const name = this.#nameOf(publicKey);
    // Two tunnels may wait for one key, each with a mark of its own.
    this.#learn(name, mark);
    const last = { from, at: this.#now() };
    this.#last.set(name, last);
    const now = LEAD_STEP * Math.ceil((stamp.time - last.at / 1000 - 1) / LEAD_STEP);
    const known = this.#leads.get(name) ?? { now: 0, before: 0 };
    const leads = now > known.now ? { now, before: known.before } : undefined;
    if (leads !== undefined) this.#leads.set(name, leads);
    const entries = leads === undefined ? [] : [leadEntry(name, leads)];
    this.#append([...entries, stampEntry(name, stamp, last)]);
    if (leads !== undefined)
      this.#attempt(() => this.#file !== undefined && fdatasyncSync(this.#file));
  }

  forget(publicKey: Uint8Array): void {
    const name = this.#nameOf(publicKey);
    this.#marks.delete(name);
    this.#last.delete(name);
    this.#leads.delete(name);
    this.#append(keptEntries(name, { mark: undefined, last: undefined, lead: undefined }));
  }

  /** A clean end: whoever comes next knows that nothing is missing. */
  close(): void {
    clearTimeout(this.#sync);
    this.#attempt(() => {
      if (this.#file === undefined) return;
      writeFileSync(this.#file, sealed([endEntry], this.#check).text);
      fsyncSync(this.#file);
      closeSync(this.#file);
      this.#file = undefined;
    });
  }

  #read(): { readonly journal: Journal | undefined; readonly file: string } | undefined {
    let text: string;
    let identity: string;
    try {
      const file = openSync(this.#path, "r");
      try {
        identity = identityOf(file);
        text = readFileSync(file, "utf8");
      } finally {
        closeSync(file);
      }
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
    return { journal, file: identity };
  }

  #append(entries: readonly Entry[]): void {
    this.#reclaim();
    if (this.#file === undefined || this.#length > Math.max(LONGEST, this.#whole)) {
      if (!this.#rewrite()) this.#spoil();
      return;
    }
    const file = this.#file;
    const { text, check } = sealed(entries, this.#check);
    const written = this.#attempt(() => {
      // All of it: where the disk is full, write(2) takes a part without a word.
      writeFileSync(file, text);
      this.#length += text.length;
      this.#check = check;
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
    for (const [name, { mark }] of this.#read()?.journal?.keys ?? [])
      if (mark !== undefined) this.#learn(name, mark);
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
    return this.#attempt(() => {
      makeFolder(this.#options.directory);
      const beside = `${this.#path}.new`;
      const file = openSync(beside, "w", 0o600);
      try {
        const { text, check } = this.#all(identityOf(file));
        writeFileSync(file, text);
        fsyncSync(file);
        this.#check = check;
        this.#whole = text.length;
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

  #all(file: string): { readonly text: string; readonly check: string } {
    const { boot } = this.#options;
    const entries = [headEntry({ boot, file, floor: this.#floor })];
    for (const [name, mark] of this.#marks) {
      const [last, lead] = [this.#last.get(name), this.#leads.get(name)];
      entries.push(...keptEntries(name, { mark, last, lead }));
    }
    return sealed(entries, "");
  }

  /** Old marks go, and the floor says what they said: the clock that makes them old may be wrong. */
  #tidy(): void {
    const oldest = this.#now() / 1000 - FORGOTTEN;
    for (const [name, mark] of this.#marks) {
      const newest = mark.seen.reduce((most, { time }) => Math.max(most, time), mark.floor);
      if (newest >= oldest) continue;
      this.#marks.delete(name);
      this.#last.delete(name);
      this.#leads.delete(name);
      this.#floor = Math.max(this.#floor, newest);
    }
  }

  #learn(name: string, mark: ReplayMark): void {
    const before = this.#marks.get(name);
    this.#marks.set(name, before === undefined ? mark : both(before, mark));
  }

  /** Short and of one length; whoever reads the file learns no key from it. */
  #nameOf(publicKey: Uint8Array): string {
    const known = this.#names.get(publicKey);
    if (known !== undefined) return known;
    const name = createHash("sha256").update(publicKey).digest("base64").slice(0, 22);
    this.#names.set(publicKey, name);
    return name;
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  /** A second is what times are told in: packets of the one in which we began are taken. */
  #began(): number {
    return Math.max(0, Math.floor((this.#now() - this.#options.uptime()) / 1000) - 1);
  }

  /** A new floor: what was known of leads belongs to what is lost. */
  #begun(): number {
    for (const [name, { now }] of this.#leads) this.#leads.set(name, { now, before: now });
    return this.#began();
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

/** Of this very file and no copy: numbers are given out again, moments of birth are not. */
function identityOf(file: number): string {
  const { ino, birthtimeNs } = fstatSync(file, { bigint: true });
  return `${ino}/${birthtimeNs}`;
}
