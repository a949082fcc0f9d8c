/** Builds the addon with node-gyp: quiet when it works, all of its output when it doesn't. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findNodeDirectory, findNodeGyp, missingPackages } from "./toolchain.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Not below build/, which node-gyp wipes.
const sanitizeFolder = join(root, "node_modules/.cache/ipipoud-sanitized");

/** The addon with address and undefined-behaviour sanitizers. */
export const sanitizedAddon = join(sanitizeFolder, "build/Release/ipipoud.node");

/** What a person can mend: printed as it is, without a stack. */
export class BuildError extends Error {}

/** build/Release/ipipoud.node */
export function buildAddon() {
  runNodeGyp(root, []);
}

/**
 * The package raw-socket's own addon, if npm has not built it. Its script is not allowed to run (see
 * `allowScripts` in package.json): npm would run it before ours, and where a compiler is missing its
 * complaint would hide ours.
 */
export function buildRawSocket() {
  const require = createRequire(join(root, "package.json"));
  const folder = dirname(require.resolve("raw-socket/package.json"));
  if (!existsSync(join(folder, "build/Release/raw.node"))) runNodeGyp(folder, []);
}

/** {@link sanitizedAddon}, if it is not there or older than its sources. */
export function buildSanitizedAddon() {
  if (isFresh(sanitizedAddon)) return;
  // node-gyp always builds in ./build and wipes it, so this build gets a folder that looks like ours.
  mkdirSync(sanitizeFolder, { recursive: true });
  copyFileSync(join(root, "binding.gyp"), join(sanitizeFolder, "binding.gyp"));
  const sources = join(sanitizeFolder, "native");
  if (!existsSync(sources)) symlinkSync(join(root, "native"), sources);
  runNodeGyp(sanitizeFolder, ["--", "-Dsanitize=1"]);
}

/** @param {string} addon */
function isFresh(addon) {
  if (!existsSync(addon)) return false;
  const sources = readdirSync(join(root, "native")).map((name) => join(root, "native", name));
  const newest = Math.max(
    ...[join(root, "binding.gyp"), ...sources].map((path) => statSync(path).mtimeMs),
  );
  return statSync(addon).mtimeMs > newest;
}

/** @param {string} folder @param {string[]} more */
function runNodeGyp(folder, more) {
  const packages = missingPackages();
  if (packages.length > 0) {
    throw new BuildError(
      `The native addon can't be built: no ${packages.join(", no ")} here.\n` +
        "On Debian and Ubuntu: apt-get install g++ make python3",
    );
  }
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) {
    throw new BuildError("The native addon can't be built: node-gyp (a part of npm) is not here.");
  }
  const nodeDirectory = findNodeDirectory();
  const run = spawnSync(
    process.execPath,
    [
      nodeGyp,
      "rebuild",
      "--jobs=max",
      ...(nodeDirectory === undefined ? [] : [`--nodedir=${nodeDirectory}`]),
      ...more,
    ],
    { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  if (run.status !== 0) {
    process.stderr.write(run.stdout + run.stderr);
    throw new BuildError(
      `The native addon in ${folder} was not built: node-gyp ${run.error?.message ?? `gave ${run.status ?? run.signal}`}; its output is above.`,
    );
  }
}
