/** Either end of ipipou 0.1 as far as authentications go: old-ipipou.py, which says what it takes and prints. */
import { join } from "node:path";
import { projectRoot } from "../../lab/paths.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

const script = join(projectRoot, "test/e2e/support/old-ipipou.py");

export class OldIpipou {
  readonly #program: Program;
  readonly address: string;
  readonly port: number;

  private constructor(program: Program, address: string, port: number) {
    this.#program = program;
    this.address = address;
    this.port = port;
  }

  static async start(
    host: Host,
    end: "client" | "server",
    address: string,
    port: number,
  ): Promise<OldIpipou> {
    const program = host.start("/usr/bin/python3", [script, end, address, String(port)]);
    await program.line(/^open$/);
    return new OldIpipou(program, address, port);
  }

  /** What it has said so far. */
  get lines(): readonly string[] {
    return this.#program.lines;
  }

  /** Tells it, and waits until it has understood; gives how much it had said before. */
  async tell(ask: Readonly<Record<string, unknown>>): Promise<number> {
    const from = this.lines.length;
    this.#program.child.stdin?.write(`${JSON.stringify(ask)}\n`);
    await this.#program.line(/^(sent|knows)/, { from });
    return from;
  }

  async line(pattern: RegExp, from = 0): Promise<string> {
    return await this.#program.line(pattern, { from });
  }

  async stop(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }
}
