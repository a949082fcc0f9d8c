#!/usr/bin/env node
/**
 * Makes a bare clone ready: Debian packages, node modules, the addon, the compiled program. Needs
 * nothing but node; says what it does where that takes long, and nothing when all is there.
 *
 *   node test/lab/setup.mjs [--keep-going]     (then type errors are shown but don't stop it)
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const keepGoing = process.argv.includes("--keep-going");

const packages = [
  // The addon and its checks.
  ...["g++", "make", "python3", "linux-libc-dev"],
  // The guest.
  ...["qemu-system-x86", "busybox-static", "kmod", "cpio", "xz-utils", "util-linux"],
  // What tests judge by and compare with.
  ...[
    "iproute2",
    "nftables",
    "conntrack",
    "tcpdump",
    "strace",
    "iputils-ping",
    "python3-nacl",
    "systemd",
    "man-db",
    "mandoc",
    "zsh",
    "fish",
  ],
  // What people install, and the bare systems that they install it on.
  ...["mmdebstrap", "dpkg-dev", "binutils", "lintian", "docker-compose", "libcap2-bin"],
];

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}

/** Runs quietly; what it said is shown when it fails. */
function run(program, args, options = {}) {
  const done = spawnSync(program, args, { cwd: root, encoding: "utf8", ...options });
  if (done.error) return { ok: false, said: `${program}: ${done.error.message}` };
  return { ok: done.status === 0, said: `${done.stdout}${done.stderr}`.trim(), out: done.stdout };
}

function missingPackages() {
  // Lines of dpkg -l: `ii  name:amd64  version …`; the second letter is the present state.
  const query = run("dpkg-query", ["-l", ...packages]);
  const installed = new Set(
    [...(query.out ?? "").matchAll(/^.i\s+([^\s:]+)/gm)].map((match) => match[1]),
  );
  return packages.filter((name) => !installed.has(name));
}

function installPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const byHand = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid() !== 0 || !run("apt-get", ["--version"]).ok) {
    fail(`Debian packages are missing; install them as root: ${byHand}`);
  }
  say(`installing Debian packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-qq", "-y", "--no-install-recommends", ...missing];
  if (run("apt-get", install, { env }).ok) return;
  say("refreshing apt's package lists");
  run("apt-get", ["update", "-qq"], { env });
  const again = run("apt-get", install, { env });
  if (!again.ok) fail(`${byHand} failed:\n${again.said}`);
}

/**
 * Servers that tests start are unpacked beside the kernels and not installed: Debian's packages would start them.
 * Where test/lab/paths.ts looks for them.
 *
 * @param {string} name @param {string} size
 */
function fetchServer(name, size) {
  const cache = process.env.IPIPOUD_LAB_CACHE ?? "/var/tmp/ipipoud-lab";
  const folder = join(cache, name);
  if (existsSync(folder)) return;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, `fetching-${name}-`));
  say(`downloading ${name} (${size}, once)`);
  const download = ["-qq", "-o", "APT::Sandbox::User=root", "download", name];
  let done = run("apt-get", download, { cwd: work });
  if (!done.ok) {
    say("refreshing apt's package lists");
    run("apt-get", ["update", "-qq"]);
    done = run("apt-get", download, { cwd: work });
  }
  const deb = readdirSync(work).find((file) => file.endsWith(".deb"));
  if (!done.ok || deb === undefined) fail(`apt-get download ${name} failed:\n${done.said}`);
  const unpacked = run("dpkg", ["-x", join(work, deb), join(work, "root")]);
  if (!unpacked.ok) fail(`dpkg -x ${deb} failed:\n${unpacked.said}`);
  try {
    renameSync(join(work, "root"), folder);
  } catch (error) {
    // Somebody else was faster.
    if (!existsSync(folder)) throw error;
  }
  rmSync(work, { recursive: true });
}

/** Whether node_modules holds what the lock file says; npm writes down what it installed. */
function modulesUpToDate() {
  const read = (name) => JSON.parse(readFileSync(join(root, name), "utf8")).packages;
  try {
    const wanted = read("package-lock.json");
    const present = read("node_modules/.package-lock.json");
    return Object.entries(wanted).every(
      ([path, entry]) =>
        path === "" ||
        present[path]?.version === entry.version ||
        (present[path] === undefined && entry.optional === true),
    );
  } catch {
    return false;
  }
}

function installModules() {
  if (modulesUpToDate()) return;
  say("npm ci: installing node modules and compiling the addon");
  const done = run("npm", ["ci", "--no-progress"]);
  if (!done.ok) fail(`npm ci failed:\n${done.said}`);
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function buildAddon() {
  const built = newest(join(root, "build/Release/ipipoud.node"));
  if (built > newest(join(root, "native")) && built > newest(join(root, "binding.gyp"))) return;
  say("compiling the addon");
  const done = run("npm", ["run", "--silent", "install"]);
  if (!done.ok) {
    say(`compiling the addon failed:\n${done.said}`);
    if (!keepGoing) process.exit(1);
  }
}

function build() {
  const done = run("npm", ["run", "--silent", "build"]);
  if (done.ok) return;
  say(`npm run build:\n${done.said}`);
  if (!keepGoing) process.exit(1);
}

installPackages();
fetchServer("prometheus", "20 MB");
fetchServer("etcd-server", "8 MB");
installModules();
buildAddon();
build();
