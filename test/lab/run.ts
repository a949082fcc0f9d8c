/** Child processes for the lab's own work: quiet when they succeed, told in full when they fail. */
import { spawn } from "node:child_process";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** Milliseconds; then SIGKILL, and `code` is 137. */
  readonly timeout?: number;
}

/** Runs to the end and gives what came out, whatever the exit code. Rejects when it can't be started. */
export function capture(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    const timer =
      options.timeout === undefined
        ? undefined
        : setTimeout(() => child.kill("SIGKILL"), options.timeout);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 137, stdout, stderr });
    });
    child.stdin.on("error", () => {}); // EPIPE: it did not want its input
    child.stdin.end(options.input ?? "");
  });
}

/** Runs and gives stdout; an exit code other than 0 is an error with all that was said. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await capture(program, args, options);
  if (code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")}: exit code ${code}\n${stderr.trim() || stdout.trim()}`,
    );
  }
  return stdout;
}
