/**
 * `npm run bench -- packets`: instructions per 64-byte packet, against bare FOU made with `ip` in the
 * same boot. `npm run bench -- size`: those of a start with 1,000 tunnels and with a hub of 100,000 peers,
 * against `ip` and `nft` that make the same. The figures count instructions, not cache misses, and one
 * AVX instruction as one; they are the same from run to run within 0.5 %.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runInLab, say } from "../lab/lab.ts";
import { sourceFile } from "../lab/paths.ts";
import { run } from "../lab/run.ts";
import type { Figure } from "./guest.ts";
import { excesses, table } from "./report.ts";
import type { SizeFigure } from "./size/guest.ts";
import { sizeExcesses, sizeTable } from "./size/report.ts";

const usage = `usage: npm run bench -- packets|size [--kernel 6.1|6.12] [--only SCENARIO]… [--json] [--assert]

  --only     packets: a scenario by its name in the table ("bare FOU" always runs: it is the reference);
             size: tunnels or peers
  --assert   exit code 1 where a figure is above its limit`;

async function packets(kernel: string, only: readonly string[]): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "ipipoud-bench-"));
  try {
    const blast = join(folder, "blast");
    await run("gcc", [
      "-O2",
      "-Wall",
      "-Werror",
      "-static",
      "-o",
      blast,
      sourceFile("bench", "blast.c"),
    ]);
    let figures: readonly Figure[] = [];
    const wanted = only.length === 0 ? [] : ["bare FOU", ...only];
    const code = await runInLab({
      kernel,
      icount: true,
      command: (results) => [
        ...[process.execPath, "--enable-source-maps", "dist/test/bench/guest.js"],
        ...[blast, join(results, "figures"), ...wanted],
      ],
      timeout: 1200,
      results: async (results) => {
        const text = await readFile(join(results, "figures"), "utf8").catch(() => "[]");
        figures = JSON.parse(text) as Figure[];
      },
    });
    if (code !== 0) throw new Error(`the measurement ended with exit code ${code}`);
    return figures;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function size(kernel: string, only: readonly string[]): Promise<readonly SizeFigure[]> {
  let figures: readonly SizeFigure[] = [];
  const code = await runInLab({
    kernel,
    icount: true,
    // What 200,000 routes take in the kernel, three times.
    memory: 3072,
    command: (results) => [
      ...[process.execPath, "--enable-source-maps", "dist/test/bench/size/guest.js"],
      ...[join(results, "figures"), ...only],
    ],
    timeout: 1200,
    results: async (results) => {
      const text = await readFile(join(results, "figures"), "utf8").catch(() => "[]");
      figures = JSON.parse(text) as SizeFigure[];
    },
  });
  if (code !== 0) throw new Error(`the measurement ended with exit code ${code}`);
  return figures;
}

interface Result {
  readonly figures: readonly unknown[];
  readonly table: string;
  readonly over: readonly string[];
}

const benches: Readonly<Record<string, (kernel: string, only: string[]) => Promise<Result>>> = {
  packets: async (kernel, only) => {
    const figures = await packets(kernel, only);
    return { figures, table: table(kernel, figures), over: excesses(figures) };
  },
  size: async (kernel, only) => {
    const figures = await size(kernel, only);
    return { figures, table: sizeTable(kernel, figures), over: sizeExcesses(figures) };
  },
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: "string", default: "6.12" },
      only: { type: "string", multiple: true },
      json: { type: "boolean", default: false },
      assert: { type: "boolean", default: false },
    },
  });
  const [name = "", ...more] = positionals;
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (bench === undefined || more.length > 0) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const { kernel } = values;
  const { figures, table, over } = await bench(kernel, values.only ?? []);
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ kernel, figures, over }, null, 2)}\n`);
  } else {
    process.stdout.write(table);
    for (const line of over) process.stdout.write(`${line}\n`);
  }
  return values.assert && over.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
