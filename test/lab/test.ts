/**
 * All tests: the checks, the unit tests and those of what people install on this machine, then on each kernel one
 * boot that runs every kernel and end-to-end test file, side by side where there is a processor for each. The last
 * line has the counts of it all. What hardly touches the kernel runs on one of them.
 *
 *   npm test [-- [--kernel 6.1|6.12|host]… [--only WORD]…]
 *
 * `--only e2e/roaming` runs the files whose path contains that, and leaves the checks out.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Counts, readCounts, sum } from "./counts.ts";
import { prepareDelivery } from "./delivery.ts";
import { defaultKernels, prepare, runInLab } from "./lab.ts";
import { shareOut } from "./once.ts";
import { projectRoot } from "./paths.ts";

/** Seconds for all the tests of one kernel. */
const guestTimeout = 3600;

const { values } = parseArgs({
  options: {
    kernel: { type: "string", multiple: true },
    only: { type: "string", multiple: true },
  },
});
const only = values.only ?? [];

function heading(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

const failure: Counts = { passed: 0, failed: 1, skipped: 0 };

/** Compiled test files below dist/test/FOLDER whose source is still there. */
async function testFiles(folder: string): Promise<string[]> {
  const below = join("dist", "test", folder);
  const names = await readdir(join(projectRoot, below), { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.endsWith(".test.js"))
    .filter((name) => existsSync(join(projectRoot, "test", folder, name.replace(/\.js$/, ".ts"))))
    .map((name) => join(below, name))
    .filter((file) => only.length === 0 || only.some((word) => file.includes(word)))
    .sort();
}

/** node's arguments for two reports: one for people, one for {@link readCounts}. */
function reporters(file: string): string[] {
  return [
    ...["--enable-source-maps", "--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...[`--test-reporter=${join(projectRoot, "dist/test/lab/counts.js")}`],
    `--test-reporter-destination=${file}`,
  ];
}

function runHereAndNow(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: projectRoot,
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

async function check(): Promise<Counts[]> {
  if (only.length > 0) return [];
  heading("checks: linter, formatter, types, import directions");
  return (await runHereAndNow("npm", ["run", "--silent", "check"])) === 0 ? [] : [failure];
}

async function unitTests(): Promise<Counts[]> {
  const files = await testFiles("unit");
  if (files.length === 0) return only.length > 0 ? [] : [failure];
  heading(`unit tests: ${files.length} files`);
  return await testsHere(files);
}

/** What end-to-end tests install is made here; a guest has no network. */
const INSTALLS = /\/e2e\/(service|container)/;

async function deliveryTests(): Promise<Counts[]> {
  const files = await testFiles("delivery");
  const wanted = files.length > 0 || (await testFiles("e2e")).some((file) => INSTALLS.test(file));
  if (!wanted) return only.length > 0 ? [] : [failure];
  heading(`what people install: ${files.length} files`);
  try {
    await prepareDelivery();
  } catch (error) {
    write(`${error instanceof Error ? error.message : String(error)}\n`);
    return [failure];
  }
  return files.length === 0 ? [] : await testsHere(files);
}

async function testsHere(files: readonly string[]): Promise<Counts[]> {
  const folder = await mkdtemp(join(tmpdir(), "ipipoud-test-"));
  try {
    const report = join(folder, "counts");
    const code = await runHereAndNow(process.execPath, ["--test", ...reporters(report), ...files]);
    return verdict(await readCounts(report), code);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One kernel's output comes as it is made; the other's is kept until that one is done. */
async function allKernels(kernels: readonly string[]): Promise<Counts[]> {
  if (kernels.length === 0 || availableParallelism() < kernels.length) {
    const all: Counts[] = [];
    for (const kernel of kernels) all.push(...(await kernelTests(kernel, kernels, write)));
    return all;
  }
  for (const kernel of kernels) await prepare(kernel);
  const kept: string[] = [];
  const keep = (text: string): void => void kept.push(text);
  const [first, ...others] = kernels.map((kernel, i) =>
    kernelTests(kernel, kernels, i === 0 ? write : keep),
  );
  const counts = [...((await first) ?? [])];
  if (others.length > 0) write("\n== the other kernel's tests, which ran beside these\n");
  const showing = setInterval(() => write(kept.splice(0).join("")), 1000);
  for (const other of others) counts.push(...(await other));
  clearInterval(showing);
  write(kept.splice(0).join(""));
  return counts;
}

function write(text: string): void {
  process.stdout.write(text);
}

function shareOf(kernel: string, kernels: readonly string[], files: readonly string[]): string[] {
  const owners = shareOut(files, kernels);
  return files.filter((file) => (owners.get(file) ?? kernel) === kernel);
}

async function kernelTests(
  kernel: string,
  kernels: readonly string[],
  output: (text: string) => void,
): Promise<Counts[]> {
  const all = [...(await testFiles("kernel")), ...(await testFiles("e2e"))];
  if (all.length === 0) return only.length > 0 ? [] : [failure];
  const files = shareOf(kernel, kernels, all);
  if (files.length === 0) return [];
  output(`\n== kernel ${kernel}: ${files.length} files\n`);
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  let code = 1;
  try {
    code = await runInLab({
      kernel,
      output,
      command: (results) => [process.execPath, "dist/test/lab/batches.js", results, ...files],
      timeout: guestTimeout,
      results: async (folder) => {
        const names = (await readdir(folder)).filter((name) => name.startsWith("counts-"));
        counts = sum(await Promise.all(names.map((name) => readCounts(join(folder, name)))));
      },
    });
  } catch (error) {
    output(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  return verdict(counts, code);
}

/** A run that ended badly without a failed test to show for it, or with no test at all, has failed too. */
function verdict(counts: Counts, code: number): Counts[] {
  const silent = counts.failed === 0 && (code !== 0 || counts.passed === 0);
  return silent ? [counts, failure] : [counts];
}

const all = [...(await check()), ...(await unitTests()), ...(await deliveryTests())];
all.push(...(await allKernels(values.kernel ?? (await defaultKernels()))));
const { passed, failed, skipped } = sum(all);
if (skipped > 0)
  process.stdout.write(`\n${skipped} skipped: nothing may be, so they count as failed\n`);
process.stdout.write(`\n${passed} passed, ${failed + skipped} failed\n`);
process.exitCode = failed + skipped === 0 && passed > 0 ? 0 : 1;
