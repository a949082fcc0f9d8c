/**
 * What an installation consists of, and nothing else: installs the tarball of `npm pack` as anyone would (so its
 * addons are compiled here, for this node) and takes what is needed to run. The .deb and the image are made of it.
 *
 *   node conf/package/stage.mjs TARBALL FOLDER
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { findNodeDirectory } from "../../native/toolchain.mjs";

/** Files and folders of the installed package. */
const needed = [
  "package.json",
  "LICENSE",
  "README.md",
  "conf",
  "dist/bin",
  "dist/man",
  "dist/completion",
  "build/Release/ipipoud.node",
  "node_modules/raw-socket/package.json",
  "node_modules/raw-socket/index.js",
  "node_modules/raw-socket/build/Release/raw.node",
];

const [tarball, folder] = process.argv.slice(2);
if (tarball === undefined || folder === undefined) {
  console.error("usage: node conf/package/stage.mjs TARBALL FOLDER");
  process.exit(2);
}
const prefix = mkdtempSync(join(tmpdir(), "ipipoud-stage-"));
try {
  install(resolve(tarball), prefix);
  const from = join(prefix, "lib/node_modules/ipipoud");
  for (const page of ["man8/ipipoud.8", "man5/ipipoud.yaml.5"])
    demandPage(join(prefix, "share/man", page));
  rmSync(folder, { recursive: true, force: true });
  for (const path of needed) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(from, path), join(folder, path), { recursive: true });
  }
} finally {
  rmSync(prefix, { recursive: true, force: true });
}

/** npm says nothing where the package names a page that it has not. @param {string} path */
function demandPage(path) {
  if (existsSync(path)) return;
  throw new Error(`npm has put no manual page at ${path}: see "man" in package.json`);
}

/** @param {string} file @param {string} prefix */
function install(file, prefix) {
  const env = { ...process.env, npm_config_update_notifier: "false" };
  // The headers that came with this node: raw-socket's build would fetch them anew.
  const headers = findNodeDirectory();
  if (headers !== undefined) env["npm_config_nodedir"] = headers;
  const args = ["install", "--global", "--prefix", prefix, file];
  const { status, stdout, stderr } = spawnSync("npm", args, { env, encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  console.error(`npm ${args.join(" ")} failed; what it said is above`);
  rmSync(prefix, { recursive: true, force: true });
  process.exit(1);
}
