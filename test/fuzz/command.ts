/** What `node dist/test/fuzz/TARGET.js --count N [--seed N]` does: the same for every target. */
import { realpathSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

type Sums = Readonly<Record<string, number>>;

/** Runs the target if its module is the program; `name` says what is fuzzed, `of` what an input is called. */
export async function runTarget(
  module: string,
  name: string,
  of: string,
  target: (count: number, seed: number) => Sums | Promise<Sums>,
): Promise<void> {
  const program = argv[1];
  if (program === undefined || realpathSync(program) !== fileURLToPath(module)) return;
  const { values } = parseArgs({
    options: { count: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const count = Number(values.count);
  console.log(`${name}: ${count} ${of}, seed ${seed}`);
  const start = performance.now();
  const sums = await target(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const words = Object.entries(sums).map(([what, number]) => `${number} ${what}`);
  console.log(`${name}: ${words.join(", ")}, ${seconds} s`);
}
