/**
 * `npm run bench -- packets`: instructions per 64-byte packet, against bare FOU made with `ip` in the
 * same boot. The figures count instructions, not cache misses, and one AVX instruction as one; they
 * are the same from run to run within 0.5 %.
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

const usage = `usage: npm run bench -- packets [--kernel 6.1|6.12] [--only SCENARIO]… [--json] [--assert]

  --only     a scenario by its name in the table ("bare FOU" always runs: it is the reference)
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
  if (positionals.length !== 1 || positionals[0] !== "packets") {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const figures = await packets(values.kernel, values.only ?? []);
  const over = excesses(figures);
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ kernel: values.kernel, figures, over }, null, 2)}\n`);
  } else {
    process.stdout.write(table(values.kernel, figures));
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
