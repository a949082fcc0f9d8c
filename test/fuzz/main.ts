/**
 * Whatever reads what others wrote, one after the other; what is native, with the sanitizer build of the addon:
 *
 *     npm run fuzz -- [--count 1000000] [--seed N] [TARGET…]
 */
import { spawnSync } from "node:child_process";
import { argv, execPath, exit } from "node:process";
import { parseArgs } from "node:util";

/** The configuration's inputs are whole files, each through a whole load: fewer of them. */
const targets: Readonly<Record<string, { readonly share: number; readonly native?: true }>> = {
  queue: { share: 1, native: true },
  netlink: { share: 1 },
  nftables: { share: 1 },
  authentication: { share: 1 },
  control: { share: 1 },
  directory: { share: 1 },
  state: { share: 1 },
  config: { share: 0.02 },
};

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: { count: { type: "string", default: "100000" }, seed: { type: "string" } },
});

for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
  const target = targets[name];
  if (target === undefined) {
    console.error(`there is no target ${name}: ${Object.keys(targets).join(", ")}`);
    exit(2);
  }
  const count = String(Math.ceil(Number(values.count) * target.share));
  const seed = values.seed === undefined ? [] : ["--seed", values.seed];
  const sanitized = target.native ? ["native/sanitized.mjs", execPath] : [];
  const command = [...sanitized, `dist/test/fuzz/${name}.js`];
  const { status } = spawnSync(execPath, [...command, "--count", count, ...seed], {
    stdio: "inherit",
  });
  if (status !== 0) exit(1);
}
