/** How many messages a daemon has sent to the kernel; it was started with {@link counting}. */
import { fileURLToPath } from "node:url";
import type { Program } from "./program.ts";

/** The environment of such a daemon. */
export const counting = {
  NODE_OPTIONS: `--require=${fileURLToPath(new URL("./count-messages.cjs", import.meta.url))}`,
} as const;

export class Counted {
  readonly #program: Program;
  #asked = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  async messages(): Promise<number> {
    const number = ++this.#asked;
    this.#program.child.kill("SIGUSR2");
    const line = await this.#program.line(new RegExp(`^messages ${number}: `));
    return Number(line.split(": ")[1]);
  }
}
