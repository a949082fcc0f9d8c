/**
 * Runs a command, most often node or `node --test`, with the addon's sanitizer build, which it makes
 * if need be:
 *
 *   node native/sanitized.mjs node dist/test/fuzz/queue.js --count 1000000
 */
import { execFileSync, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BuildError, buildSanitizedAddon, sanitizedAddon } from "./build.mjs";

const [command, ...rest] = process.argv.slice(2);
if (command === undefined) {
  console.error("usage: node native/sanitized.mjs COMMAND [ARGUMENT…]");
  process.exit(2);
}
try {
  buildSanitizedAddon();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exit(1);
}

/** Node itself is not instrumented, so the runtime has to be there before it. @param {string} name */
const library = (name) =>
  execFileSync(process.env.CXX ?? "g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
const suppressions = fileURLToPath(new URL("leaks.supp", import.meta.url));

const run = spawnSync(command, rest, {
  stdio: "inherit",
  env: {
    ...process.env,
    IPIPOUD_ADDON: sanitizedAddon,
    // libstdc++ too: the interceptor of throw looks for it when the first library is loaded.
    LD_PRELOAD: [library("libasan.so"), library("libstdc++.so")].join(" "),
    ASAN_OPTIONS: "detect_leaks=1:handle_segv=0:abort_on_error=1",
    LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0`,
    UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
  },
});
process.exitCode = run.status ?? 1;
