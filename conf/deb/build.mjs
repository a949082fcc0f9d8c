/**
 * The Debian package, from a folder that conf/package/stage.mjs made. Takes dpkg-dev and binutils.
 *
 *   node conf/deb/build.mjs STAGED FOLDER     writes FOLDER/ipipoud_VERSION_ARCHITECTURE.deb, prints its path
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";

const here = import.meta.dirname;
const [staged, target] = process.argv.slice(2).map((path) => resolve(path));
if (staged === undefined || target === undefined) {
  console.error("usage: node conf/deb/build.mjs STAGED FOLDER");
  process.exit(2);
}
const { version } = JSON.parse(fs.readFileSync(join(staged, "package.json"), "utf8"));
/** Where each shell looks for what completes its lines. */
const completions = {
  "ipipoud.bash": "bash-completion/completions/ipipoud",
  _ipipoud: "zsh/vendor-completions/_ipipoud",
  "ipipoud.fish": "fish/vendor_completions.d/ipipoud.fish",
};

const work = fs.mkdtempSync(join(tmpdir(), "ipipoud-deb-"));
process.on("exit", () => fs.rmSync(work, { recursive: true, force: true }));
const root = join(work, "root");
const architecture = run("dpkg", ["--print-architecture"]).trim();

layProgram();
layUnit();
layDocumentation();
tidyModes(root);
layControl();

fs.mkdirSync(target, { recursive: true });
const file = join(target, `ipipoud_${version}_${architecture}.deb`);
run("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", root, file]);
console.log(file);

/** /usr/lib/ipipoud, and the command. */
function layProgram() {
  const to = "usr/lib/ipipoud";
  for (const name of ["package.json", "dist/bin", "build", "node_modules"]) {
    copy(join(staged, name), join(to, name));
  }
  fs.rmSync(join(root, to, "dist/bin/licences.txt"), { force: true }); // in the copyright file
  const main = join(root, to, "dist/bin/ipipoud.js");
  const text = fs.readFileSync(main, "utf8");
  // The interpreter that the package depends on, whatever PATH finds before it.
  write("usr/lib/ipipoud/dist/bin/ipipoud.js", text.replace(/^#!.*/, "#!/usr/bin/node"));
  for (const addon of addons()) {
    run("strip", ["--strip-unneeded", "--remove-section=.comment", addon]);
  }
  fs.mkdirSync(join(root, "usr/bin"));
  fs.symlinkSync("../lib/ipipoud/dist/bin/ipipoud.js", join(root, "usr/bin/ipipoud"));
}

function addons() {
  return filesBelow(root).filter((path) => path.endsWith(".node"));
}

/** The unit, and what it relies on. */
function layUnit() {
  const from = join(staged, "conf/systemd");
  copy(join(from, "ipipoud.service"), "usr/lib/systemd/system/ipipoud.service");
  for (const kind of ["sysusers", "tmpfiles", "modules-load"]) {
    copy(join(from, `${kind}.conf`), `usr/lib/${kind}.d/ipipoud.conf`);
  }
}

/** Copyright, changes, examples, man pages, completion. */
function layDocumentation() {
  const to = "usr/share/doc/ipipoud";
  const licence = fs.readFileSync(join(staged, "LICENSE"), "utf8");
  const others = fs.readFileSync(join(staged, "dist/bin/licences.txt"), "utf8");
  write(join(to, "copyright"), `${licence}\n${withoutApache(others)}`);
  write(join(to, "changelog.gz"), compressed(join(here, "changelog")));
  for (const name of fs.readdirSync(join(staged, "conf")).filter((one) => one.endsWith(".yaml"))) {
    copy(join(staged, "conf", name), join(to, "examples", name));
  }
  for (const page of fs.readdirSync(join(staged, "dist/man"))) {
    const section = page.split(".").at(-1);
    write(`usr/share/man/man${section}/${page}.gz`, compressed(join(staged, "dist/man", page)));
  }
  for (const [name, to] of Object.entries(completions)) {
    copy(join(staged, "dist/completion", name), join("usr/share", to));
  }
}

/** Debian has this one's text already; who holds the rights stays. @param {string} text */
function withoutApache(text) {
  return text
    .split(/^(?=== )/m)
    .map((part) => {
      if (!/^\s+Version 2\.0, January 2004$/m.test(part)) return part;
      const [name = ""] = part.split("\n");
      const holders =
        part.match(/^\s*Copyright (\(c\) )?\d.*$/gm)?.map((line) => line.trim()) ?? [];
      const where = "Apache License 2.0, see /usr/share/common-licenses/Apache-2.0";
      return `${[name, "", ...holders, where].join("\n")}\n\n\n`;
    })
    .join("");
}

function layControl() {
  const values = {
    version,
    architecture,
    size: String(Math.ceil(filesBelow(root).reduce((sum, one) => sum + sizeOf(one), 0) / 1024)),
    depends: [...nodeVersions(), ...libraries()].join(", "),
  };
  const control = fs.readFileSync(join(here, "control"), "utf8");
  const sums = filesBelow(root)
    .filter((path) => !fs.lstatSync(path).isSymbolicLink())
    .map((path) => `${md5(path)}  ${relative(root, path)}\n`);
  write(
    "DEBIAN/control",
    control.replace(/\$\{(\w+)\}/g, (_, name) => values[name]),
  );
  write("DEBIAN/md5sums", sums.join(""));
  for (const script of ["postinst", "prerm", "postrm"]) {
    copy(join(here, script), join("DEBIAN", script));
    fs.chmodSync(join(root, "DEBIAN", script), 0o755);
  }
}

/** raw-socket's addon is compiled for one major version of node: another one refuses to load it. */
function nodeVersions() {
  const major = Number(process.versions.node.split(".")[0]);
  return [`nodejs (>= ${major})`, `nodejs (<< ${major + 1})`];
}

/** As dpkg-shlibdeps finds them in the addons. */
function libraries() {
  const folder = join(work, "debian");
  fs.mkdirSync(folder);
  const source = "Source: ipipoud\n\nPackage: ipipoud\nArchitecture: any\n";
  fs.writeFileSync(join(folder, "control"), source);
  const args = ["-O", ...addons().map((path) => `-e${path}`)];
  const found = /^shlibs:Depends=(.*)$/m.exec(run("dpkg-shlibdeps", args, work));
  if (found?.[1] === undefined) throw new Error("dpkg-shlibdeps found no library");
  return found[1].split(", ");
}

/** Nothing of the builder's umask. @param {string} folder */
function tidyModes(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) tidyModes(path);
    else if (entry.isFile()) fs.chmodSync(path, path.endsWith("/ipipoud.js") ? 0o755 : 0o644);
  }
  fs.chmodSync(folder, 0o755);
}

/** @param {string} from @param {string} to */
function copy(from, to) {
  fs.mkdirSync(dirname(join(root, to)), { recursive: true });
  fs.cpSync(from, join(root, to), { recursive: true });
}

/** @param {string} to @param {string | Uint8Array} content */
function write(to, content) {
  fs.mkdirSync(dirname(join(root, to)), { recursive: true });
  fs.writeFileSync(join(root, to), content);
}

/** @param {string} path */
function compressed(path) {
  return gzipSync(fs.readFileSync(path), { level: 9 });
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** @param {string} path */
function sizeOf(path) {
  return fs.lstatSync(path).size;
}

/** @param {string} path */
function md5(path) {
  return createHash("md5").update(fs.readFileSync(path)).digest("hex");
}

/** @param {string} program @param {readonly string[]} args @param {string} [cwd] */
function run(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  const packages = "On Debian and Ubuntu: apt-get install dpkg-dev binutils";
  console.error(error ? `${basename(program)}: ${error.message}\n${packages}` : stderr);
  process.exit(1);
}
