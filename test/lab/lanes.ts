/**
 * Inside a guest: test files side by side, as most of their time goes into waiting.
 *
 *     node dist/test/lab/lanes.js RESULTS FILE…
 *
 * What changes the kernel for everyone (modules taken away) runs alone, first. Small files share a node,
 * because every start of one costs more than a second there. Each batch writes RESULTS/counts-N.
 */
import { spawn } from "node:child_process";
import { basename, join } from "node:path";
import { argv, execPath, exit } from "node:process";
import { projectRoot } from "./paths.ts";

/** More would only wait for the guest's one processor. */
const LANES = 2;
const ALONE = /\/e2e\/broken-input/;
/** Takes longest: begun first, so that it is not what everything waits for at the end. */
const LONG = /\/e2e\/crash-start/;

const [results = ".", ...files] = argv.slice(2);
const alone = files.filter((file) => ALONE.test(file));
const small = files.filter((file) => !file.includes("/e2e/"));
const others = files.filter((file) => file.includes("/e2e/") && !ALONE.test(file));
const batches = [
  ...others.filter((file) => LONG.test(file)).map((file) => [file]),
  ...(small.length > 0 ? [small] : []),
  ...others.filter((file) => !LONG.test(file)).map((file) => [file]),
];

let number = 0;
let worst = 0;

async function run(batch: readonly string[]): Promise<void> {
  const counts = join(results, `counts-${number++}`);
  const name = batch.length > 1 ? `${batch.length} files` : basename(batch[0] ?? "", ".js");
  const since = Date.now();
  const { code, output } = await runOne(batch, counts);
  const seconds = Math.round((Date.now() - since) / 1000);
  process.stdout.write(`\n-- ${name} (${seconds} s)\n${output}`);
  worst = Math.max(worst, code);
}

/** Its whole output at its end: two at once, line by line, would be read by nobody. */
function runOne(
  batch: readonly string[],
  counts: string,
): Promise<{ code: number; output: string }> {
  const reporters = [
    ...["--enable-source-maps", "--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...[`--test-reporter=${join(projectRoot, "dist/test/lab/counts.js")}`],
    `--test-reporter-destination=${counts}`,
  ];
  const child = spawn(execPath, [...reporters, "dist/test/lab/all.js", ...batch], {
    cwd: projectRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() });
    });
  });
}

async function lane(): Promise<void> {
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) await run(batch);
}

if (alone.length > 0) await run(alone);
await Promise.all(Array.from({ length: LANES }, lane));
exit(worst);
