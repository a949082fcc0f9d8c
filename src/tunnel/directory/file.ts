/**
 * A hosts file that is read again when it changes: written in place, replaced by another, gone and back. The
 * folder is watched, as a file that is replaced is another one; and it is looked at now and then in any case,
 * as not every file system tells.
 */
import { constants, type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Complaint } from "../../config/complaint.ts";
import { largestHosts, readHosts } from "../../config/hosts.ts";
import type { Nodes } from "../../config/model.ts";
import type { DirectoryListener, DirectorySource } from "./source.ts";

/** Whoever writes it in place takes a moment, and may tell of each piece. Milliseconds. */
const SETTLING = 100;
/** What is wrong with it is said when it is still so after this. */
const DOUBT = 500;
/** It, or its folder, is not there: nobody may tell when it comes. */
const MISSING = 5000;

export interface FileSourceOptions {
  readonly path: string;
  /** Milliseconds. */
  readonly interval: number;
}

export class FileSource implements DirectorySource {
  readonly name: string;
  readonly #options: FileSourceOptions;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.name = options.path;
  }

  follow(listener: DirectoryListener): () => void {
    const following = new Following(this.#options, listener);
    return () => following.close();
  }
}

/** What is at the path; `mark` differs where it may be another. */
interface Look {
  readonly mark: string;
  readonly result: Nodes | string;
}

class Following {
  readonly #options: FileSourceOptions;
  readonly #listener: DirectoryListener;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due. */
  #due = Infinity;
  #looking = false;
  #closed = false;
  #told: string | undefined;
  /** Found wrong, and not said yet. */
  #doubted: string | undefined;

  constructor(options: FileSourceOptions, listener: DirectoryListener) {
    this.#options = options;
    this.#listener = listener;
    this.#watch();
    this.#lookAfter(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  #watch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    const name = basename(this.#options.path);
    try {
      const watcher = watch(dirname(this.#options.path), (_event, changed) => {
        // Kubernetes replaces a link of this name, by which all files of the folder are reached.
        if (changed === name || changed === "..data" || changed === null) this.#lookAfter(SETTLING);
      });
      watcher.on("error", () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // No folder, or no more watches (fs.inotify.max_user_watches): the interval does without.
    }
  }

  /** The earlier of this and what is due already. */
  #lookAfter(delay: number): void {
    const due = performance.now() + delay;
    if (this.#closed || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      void this.#look();
    }, delay);
  }

  async #look(): Promise<void> {
    if (this.#looking) {
      this.#lookAfter(SETTLING);
      return;
    }
    this.#looking = true;
    const look = await lookAt(this.#options.path, this.#told);
    this.#looking = false;
    if (this.#closed) return;
    const { interval } = this.#options;
    if (look === undefined) this.#lookAfter(interval);
    else if (typeof look.result !== "string") {
      this.#doubted = undefined;
      this.#told = look.mark;
      this.#lookAfter(interval);
      this.#listener.nodes(look.result);
    } else {
      this.#told = undefined;
      this.#watch();
      const doubt = `${look.mark} ${look.result}`;
      if (doubt === this.#doubted) this.#listener.trouble(look.result);
      this.#lookAfter(doubt === this.#doubted ? Math.min(interval, MISSING) : DOUBT);
      this.#doubted = doubt;
    }
  }
}

/** Never rejects; undefined: it is what it was when it had this mark. */
async function lookAt(path: string, known: string | undefined): Promise<Look | undefined> {
  try {
    // Whatever it is, opening it must not wait for anybody.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      const { dev, ino, size, mtimeMs, ctimeMs } = stat;
      const mark = [dev, ino, size, mtimeMs, ctimeMs].join(" ");
      if (mark === known) return undefined;
      if (!stat.isFile()) return { mark, result: "no regular file" };
      if (size > largestHosts) return { mark, result: tooLarge };
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size + 1), 0, size + 1, 0);
      // It grows while it is read: there will be another look.
      const nodes = readHosts(buffer.toString("utf8", 0, bytesRead));
      return { mark, result: nodes instanceof Complaint ? wordsOf(nodes) : nodes };
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { mark: "", result: code === "ENOENT" ? "no such file" : `it can't be read (${code})` };
  }
}

const tooLarge = `more than ${largestHosts >> 20} MiB`;

export function wordsOf({ what, mend }: Complaint): string {
  return mend === undefined ? what : `${what}: ${mend}`;
}
