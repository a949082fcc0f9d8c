/**
 * Inside a guest: all test files, one after the other (side by side was slower: the one emulated processor
 * is the limit).
 *
 *     node dist/test/lab/batches.js RESULTS FILE…
 *
 * Small files share a node, because every start of one costs more than a second there; end-to-end files
 * have one each, so that a hang ends one file. What takes modules away from everyone comes last. Each batch
 * writes RESULTS/counts-N.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { argv, execPath, exit } from "node:process";
import { projectRoot } from "./paths.ts";

const TAKES_MODULES = /\/e2e\/(broken-input|check)\./;

const [results = ".", ...files] = argv.slice(2);
const small = files.filter((file) => !file.includes("/e2e/"));
const large = files.filter((file) => file.includes("/e2e/") && !TAKES_MODULES.test(file));
const last = files.filter((file) => TAKES_MODULES.test(file));
const batches = [small, ...[...large, ...last].map((file) => [file])];

let worst = 0;
for (const [number, batch] of batches.filter(({ length }) => length > 0).entries()) {
  let status = run(number, batch);
  if (status !== 0) {
    // An emulated processor stands still for a second now and then. What fails twice is no accident; what
    // passes then is named, so that it can be mended.
    process.stdout.write("-- failed; once more, from the start\n");
    status = run(number, batch);
    if (status === 0) process.stdout.write(`-- UNSTEADY: passed at the second try: ${batch}\n`);
  }
  worst = Math.max(worst, status);
}
exit(worst);

/** Writes the counts of this try in place of an earlier one's. */
function run(number: number, batch: readonly string[]): number {
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
