/**
 * What a program costs: the CPU time of its control group, which the scheduler counts in nanoseconds, and so
 * under icount in instructions; and that of the kernel's threads, which clean up behind it. Waiting
 * is no part of it.
 */
import { mkdir, mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../e2e/support/host.ts";
import type { Program } from "../../e2e/support/program.ts";
import { run } from "../../lab/run.ts";

/** Millions of instructions. */
export type Cost = number;

export class Meter {
  readonly #root: string;
  #groups = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  static async create(): Promise<Meter> {
    const root = await mkdtemp(join(tmpdir(), "cgroup-"));
    await run("mount", ["-t", "cgroup2", "none", root]);
    return new Meter(root);
  }

  /** Runs to the end. */
  async run(host: Host, program: string, ...args: string[]): Promise<Cost> {
    const { group, wrapped } = await this.#prepare(program, args);
    const before = await kernelThreads();
    await host.run("sh", ...wrapped);
    return (await used(group)) + (await kernelThreads()) - before;
  }

  /** Starts it and gives what it has cost when the line comes. */
  async until(
    line: RegExp,
    host: Host,
    program: string,
    args: readonly string[],
    environment: Record<string, string>,
  ): Promise<{ cost: Cost; program: Program }> {
    const { group, wrapped } = await this.#prepare(program, args);
    const before = await kernelThreads();
    const started = host.start("sh", wrapped, environment);
    await started.line(line, { timeout: 600_000 });
    const cost = (await used(group)) + (await kernelThreads()) - before;
    return { cost, program: started };
  }

  async #prepare(program: string, args: readonly string[]) {
    const group = join(this.#root, `measured${++this.#groups}`);
    await mkdir(group);
    // The shell becomes the program, within the group from its first instruction on.
    const script = `echo $$ >${group}/cgroup.procs; exec "$@"`;
    return { group, wrapped: ["-c", script, "sh", program, ...args] };
  }
}

async function used(group: string): Promise<Cost> {
  const text = await readFile(join(group, "cpu.stat"), "utf8");
  return Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1000;
}

/** PF_KTHREAD, include/linux/sched.h */
const KERNEL_THREAD = 0x0020_0000;

async function kernelThreads(): Promise<Cost> {
  let nanoseconds = 0;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // One that has ended meanwhile is nobody's.
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    const flags = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[6]);
    if ((flags & KERNEL_THREAD) === 0) continue;
    const schedule = await readFile(`/proc/${name}/schedstat`, "utf8").catch(() => "0");
    nanoseconds += Number(schedule.split(" ")[0]);
  }
  return nanoseconds / 1e6;
}
