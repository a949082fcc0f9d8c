/** A long-running program whose lines are collected and can be waited for. */
import { type ChildProcess, spawn } from "node:child_process";
import { eventually } from "./eventually.ts";

export class Program {
  /** Complete lines so far, both streams as they came. */
  readonly lines: string[] = [];
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Exit code, or the signal's name; undefined while it runs. */
  ended: number | string | undefined;
  readonly child: ChildProcess;
  readonly #end: Promise<number | string>;
  readonly #name: string;

  constructor(program: string, args: readonly string[], environment?: Record<string, string>) {
    this.#name = [program, ...args].join(" ");
    this.child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#collect(this.child.stdout, this.stdout);
    this.#collect(this.child.stderr, this.stderr);
    this.child.stdin?.on("error", () => {}); // EPIPE: it ended; `ended` tells
    this.#end = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.lines.push(error.message);
        this.ended = 127;
        resolve(this.ended);
      });
      this.child.on("close", (code, signal) => {
        this.ended ??= code ?? signal ?? 1;
        resolve(this.ended);
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  #collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      into.push(...parts);
      this.lines.push(...parts);
    });
    stream?.on("end", () => {
      if (rest === "") return;
      into.push(rest);
      this.lines.push(rest);
    });
  }

  /** The first line, from the given index on, that matches; fails at once when the program has ended without it. */
  async line(pattern: RegExp, { from = 0, timeout = 60_000 } = {}): Promise<string> {
    return await eventually(
      () => {
        const found = this.lines.slice(from).find((line) => pattern.test(line));
        if (found === undefined && this.ended !== undefined) return { ended: this.ended };
        return found;
      },
      { timeout, what: `${pattern} from ${this.#name}; it said:\n${this.lines.join("\n")}` },
    ).then((found) => {
      if (typeof found === "string") return found;
      throw new Error(
        `${this.#name} ended (${found.ended}) without ${pattern}; it said:\n${this.lines.join("\n")}`,
      );
    });
  }

  /** Sends a signal and waits for the end; kills after the time limit, which is an error. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeout = 30_000): Promise<number | string> {
    if (this.ended !== undefined) return this.ended;
    this.child.kill(signal);
    const timer = setTimeout(() => {
      this.lines.push(`(killed: no end within ${timeout} ms of ${signal})`);
      this.child.kill("SIGKILL");
    }, timeout);
    const ended = await this.#end;
    clearTimeout(timer);
    return ended;
  }

  /** Waits for it to end by itself. */
  async end(timeout = 60_000): Promise<number | string> {
    await eventually(() => this.ended !== undefined, { timeout, what: `the end of ${this.#name}` });
    return await this.#end;
  }
}
