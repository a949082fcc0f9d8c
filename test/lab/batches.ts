/**
 * Inside a guest: all test files, one after the other (side by side was slower: the one emulated processor
 * is the limit).
 *
 *     node dist/test/lab/batches.js RESULTS FILE…
 *
 * Several share a node, because every start of one costs more than two seconds there, modules included; where one
 * of them fails or hangs, each is tried once more by itself. What takes modules away from everyone comes last and
 * alone. Each node writes RESULTS/counts-N.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { argv, execPath, exit } from "node:process";
import { projectRoot } from "./paths.ts";

const TAKES_MODULES = /\/e2e\/(broken-input|check)\./;

const [results = ".", ...files] = argv.slice(2);
const small = files.filter((file) => !file.includes("/e2e/"));
const large = files.filter((file) => file.includes("/e2e/") && !TAKES_MODULES.test(file));
const last = files.filter((file) => TAKES_MODULES.test(file));
/** End-to-end files of one node: what is left of a hung one is not much. */
const TOGETHER = 4;

const batches: string[][] = [small];
for (let first = 0; first < large.length; first += TOGETHER)
  batches.push(large.slice(first, first + TOGETHER));
for (const file of last) batches.push([file]);

let worst = 0;
for (const [number, batch] of batches.filter(({ length }) => length > 0).entries()) {
  let status = run(`${number}`, batch);
  if (status !== 0) {
    // An emulated processor stands still for a second now and then. What fails twice is no accident; what
    // passes then is named, so that it can be mended.
    process.stdout.write("-- failed; once more, each by itself\n");
    rmSync(join(results, `counts-${number}`), { force: true });
    status = Math.max(...batch.map((file, i) => run(`${number}-${i}`, [file])));
    if (status === 0) process.stdout.write(`-- UNSTEADY: passed at the second try: ${batch}\n`);
  }
  worst = Math.max(worst, status);
}
exit(worst);

/** What it counted is what this try came to. */
function run(number: string, batch: readonly string[]): number {
  const counts = join(results, `counts-${number}`);
  const since = Date.now();
  const { status } = spawnSync(execPath, [...reporters(counts), "dist/test/lab/all.js", ...batch], {
    cwd: projectRoot,
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.stdout.write(`-- ${Math.round((Date.now() - since) / 1000)} s\n`);
  return status ?? 1;
}

function reporters(counts: string): string[] {
  return [
    ...["--enable-source-maps", "--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...[`--test-reporter=${join(projectRoot, "dist/test/lab/counts.js")}`],
    `--test-reporter-destination=${counts}`,
  ];
}
