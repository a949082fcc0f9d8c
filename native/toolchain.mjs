/** Finds what the addon's build takes. Plain JavaScript: it runs before anything is compiled. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";

/** @param {string} name @returns {string | undefined} the first executable of that name on PATH */
export function findProgram(name) {
  if (name.includes("/")) return isExecutable(name) ? name : undefined;
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Debian's names of the packages whose programs are not here. CXX, MAKE and PYTHON name others, as
 * they do for node-gyp itself.
 */
export function missingPackages() {
  const { CXX, MAKE, PYTHON, npm_config_python } = process.env;
  const wanted = [
    { package: "g++", programs: [CXX?.trim().split(/\s+/)[0], "g++", "c++"] },
    { package: "make", programs: [MAKE, "make"] },
    { package: "python3", programs: [npm_config_python, PYTHON, "python3"] },
  ];
  return wanted
    .filter(({ programs }) => !programs.some((name) => name && findProgram(name) !== undefined))
    .map((want) => want.package);
}

/**
 * node-gyp's script: the one npm names, the one beside npm, or one on PATH.
 * @returns {string | undefined}
 */
export function findNodeGyp() {
  const { npm_config_node_gyp, npm_execpath } = process.env;
  const npm = findProgram("npm");
  const besideNpm = [npm_execpath, npm && realpathSync(npm)]
    .filter((path) => path !== undefined)
    .map((path) => join(dirname(dirname(path)), "node_modules/node-gyp/bin/node-gyp.js"));
  const candidates = [npm_config_node_gyp, ...besideNpm, findProgram("node-gyp")];
  const found = candidates.find((path) => path && existsSync(path));
  return found && realpathSync(found);
}

/**
 * Where node's own headers lie, if they came with this very node: spares node-gyp a download.
 * @returns {string | undefined}
 */
export function findNodeDirectory() {
  const given = process.env.npm_config_nodedir;
  if (given) return given;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  try {
    const header = readFileSync(join(prefix, "include/node/node_version.h"), "utf8");
    const version = ["MAJOR", "MINOR", "PATCH"]
      .map((part) => header.match(new RegExp(`define NODE_${part}_VERSION (\\d+)`))?.[1])
      .join(".");
    return version === process.versions.node ? prefix : undefined;
  } catch {
    return undefined;
  }
}
