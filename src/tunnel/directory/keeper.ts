/** Keeps the last good answer of a directory on the disk: see kept.ts, which the dry run reads. */
import { mkdir, open, rename } from "node:fs/promises";
import { writeHosts } from "../../config/hosts.ts";
import type { Nodes } from "../../config/model.ts";

/** Writes one path, the newest last; what comes meanwhile replaces what still waits. */
export class Keeper {
  readonly #path: string;
  readonly #folder: string;
  readonly #onTrouble: (reason: string) => void;
  #next: Nodes | undefined;
  #writing = false;
  #troubled = false;

  constructor(path: string, folder: string, onTrouble: (reason: string) => void) {
    this.#path = path;
    this.#folder = folder;
    this.#onTrouble = onTrouble;
  }

  keep(nodes: Nodes): void {
    this.#next = nodes;
    if (!this.#writing) void this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#next !== undefined) {
      const nodes = this.#next;
      this.#next = undefined;
      try {
        await writeWhole(this.#path, this.#folder, writeHosts(nodes));
        this.#troubled = false;
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
        if (!this.#troubled) {
          this.#onTrouble(
            `${this.#path} can't be written (${code}): a restart begins without these nodes (\`stateDirectory\`)`,
          );
        }
        this.#troubled = true;
      }
    }
    this.#writing = false;
  }
}

/** Beside the old one and then in its place: one of both is always whole. */
async function writeWhole(path: string, folder: string, text: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const beside = `${path}.new`;
  const file = await open(beside, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}
