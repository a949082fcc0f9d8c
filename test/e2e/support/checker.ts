/** A process in a host that runs command lines of the program, one after the other. */
import { fileURLToPath } from "node:url";
import { run } from "../../lab/run.ts";
import type { Host, Output } from "./host.ts";
import type { Program } from "./program.ts";

export class Checker {
  readonly #program: Program;
  #asked = 0;

  constructor(host: Host, environment: Record<string, string>) {
    const worker = fileURLToPath(new URL("./check-worker.js", import.meta.url));
    this.#program = host.start(process.execPath, [worker], environment);
  }

  async ask(...args: readonly string[]): Promise<Output> {
    this.#program.child.stdin?.write(`${JSON.stringify(args)}\n`);
    const line = await this.#program.line(/^\{/, { from: this.#asked++ });
    return JSON.parse(line) as Output;
  }

  /** A shell script in its own view of the file system. */
  async within(script: string): Promise<void> {
    // A guest changes its root at boot, so that of the namespace is another.
    const where = ["--target", String(this.#program.pid), "--mount", "--root"];
    await run("nsenter", [...where, "sh", "-ec", script]);
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
