/** A host's own /etc/hosts: `ip netns exec` puts /etc/netns/NAME/hosts in its place. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "./host.ts";

export class Names {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Only programs that are started after this see it. */
  static async of(host: Host, names: Readonly<Record<string, string>>): Promise<Names> {
    const own = new Names(join("/etc/netns", host.namespace));
    await mkdir(own.#folder, { recursive: true });
    await own.set(names);
    return own;
  }

  /** From now on: name → address. In place, because the file is what is mounted. */
  async set(names: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(names).map(([name, address]) => `${address} ${name}\n`);
    await writeFile(join(this.#folder, "hosts"), ["127.0.0.1 localhost\n", ...lines].join(""));
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
