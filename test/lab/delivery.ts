/**
 * What people install, made as they would make it, and the bare Debian systems that tests put it on:
 *
 *     node dist/test/lab/delivery.js
 *
 * The Dockerfile's build stage runs in a copy of just the files that it copies; the .deb is made of what comes
 * out. Its run stage runs in a bare root. Nothing here needs an engine for images.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { readStages, type Stage } from "./dockerfile.ts";
import { say } from "./lab.ts";
import { cacheFolder, projectRoot } from "./paths.ts";
import { run } from "./run.ts";

/** The release that has the node we want, and its mirror's default. */
const release = "trixie";

const lastDelivery = join(projectRoot, "dist/delivery/last.json");

export interface Delivery {
  /** What an installation consists of: the image's /usr/lib/ipipoud. */
  readonly installation: string;
  readonly deb: string;
  /** Debian with systemd and node: where a package is installed. */
  readonly hostRoot: string;
  /** What the image's run stage leaves, but for the program. */
  readonly imageRoot: string;
}

/** Makes what is missing or older than its sources. */
export async function prepareDelivery(): Promise<Delivery> {
  const delivery = await delivered();
  if (!existsSync(delivery.deb)) await build(delivery);
  const [, image] = await stages();
  if (!existsSync(delivery.hostRoot)) await makeRoot(delivery.hostRoot, hostPackages, []);
  if (!existsSync(delivery.imageRoot)) await makeRoot(delivery.imageRoot, [], hooks(image));
  await writeFile(lastDelivery, JSON.stringify(delivery));
  return delivery;
}

/** What {@link prepareDelivery} made last. To look for what changed since would take a guest seconds. */
export async function findDelivery(): Promise<Delivery> {
  const text = await readFile(lastDelivery, "utf8").catch(() => {
    throw new Error("nothing to install: run  node dist/test/lab/delivery.js  before the guest");
  });
  return JSON.parse(text) as Delivery;
}

/** systemd's own recommendations (dbus, udev) are no part of it. */
const hostPackages = ["systemd", "nodejs", "kmod"];

async function delivered(): Promise<Delivery> {
  const [builder, image] = await stages();
  const sources = [...sourcesOf(builder), "conf"];
  const folder = join(projectRoot, "dist/delivery", await digest(sources));
  const system = await digest(sourcesOf(image), JSON.stringify(image));
  return {
    installation: join(folder, "installation"),
    deb: join(folder, "ipipoud.deb"),
    hostRoot: join(cacheFolder, `root-${release}-${hostPackages.join("-")}`),
    imageRoot: join(cacheFolder, `root-${release}-image-${system}`),
  };
}

async function stages(): Promise<[Stage, Stage]> {
  const [builder, image, more] = readStages(
    await readFile(join(projectRoot, "Dockerfile"), "utf8"),
  );
  if (builder === undefined || image === undefined || more !== undefined) {
    throw new Error("Dockerfile: the lab knows one stage that builds and one that runs");
  }
  return [builder, image];
}

function sourcesOf(stage: Stage): string[] {
  return stage.copies.flatMap(({ sources }) => sources);
}

async function digest(paths: readonly string[], more = ""): Promise<string> {
  const hash = createHash("sha256").update(`${process.version}\n${more}`);
  for (const path of [...new Set(paths)].sort()) {
    for (const file of await filesBelow(join(projectRoot, path))) {
      // A clone elsewhere makes the same.
      hash.update(`${relative(projectRoot, file)}\n`).update(await readFile(file));
    }
  }
  return hash.digest("hex").slice(0, 12);
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  if (entries.length === 0) return [path];
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The build stage, in a folder that has nothing but what the Dockerfile puts there. */
async function build({ installation, deb }: Delivery): Promise<void> {
  say("building the npm package, the image's content and the .deb");
  const [builder] = await stages();
  const work = await mkdtemp(join(tmpdir(), "ipipoud-delivery-"));
  try {
    const source = join(work, "src");
    const out = join(work, "out");
    for (const { sources, to } of builder.copies) {
      for (const name of sources) {
        const target = to === "./" ? join(source, name) : join(source, to);
        await cp(join(projectRoot, name), target, { recursive: true });
      }
    }
    for (const [program = "", ...args] of builder.runs) {
      const here = args.map((word) => (word === "/out" ? out : word));
      await run(program, here, { cwd: source });
    }
    const made = await run("node", ["conf/deb/build.mjs", out, join(work, "deb")], { cwd: source });
    await rm(join(projectRoot, "dist/delivery"), { recursive: true, force: true });
    await mkdir(resolve(installation, ".."), { recursive: true });
    await cp(out, installation, { recursive: true });
    await cp(made.trim(), deb);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The run stage's steps, as hooks of mmdebstrap, which mounts what they need. */
function hooks(image: Stage): string[] {
  const quote = (word: string): string => `'${word}'`;
  const copies = image.copies.flatMap(({ sources, to }) =>
    sources.map((name) => `cp ${quote(join(projectRoot, name))} "$1"${quote(to)}`),
  );
  return [...copies, ...image.runs.map((words) => `chroot "$1" ${words.map(quote).join(" ")}`)];
}

/** A bare Debian, as debootstrap's minbase (and debian:…-slim) is one. */
async function makeRoot(
  folder: string,
  packages: readonly string[],
  customize: readonly string[],
): Promise<void> {
  say(`making a bare Debian in ${folder} (about 100 MB to download, once)`);
  if (process.getuid?.() !== 0) throw new Error("a bare Debian can only be made by root");
  await mkdir(cacheFolder, { recursive: true });
  const work = `${folder}.${process.pid}`;
  try {
    await run("mmdebstrap", [
      ...["--quiet", "--mode=root", "--variant=minbase"],
      ...packages.map((name) => `--include=${name}`),
      ...customize.map((hook) => `--customize-hook=${hook}`),
      ...[release, work, await mirror()],
    ]);
    // Whoever comes second loses nothing but the work.
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Where this machine has its own Debian packages from. */
async function mirror(): Promise<string> {
  const format = "$(LABEL) $(REPO_URI)";
  const targets = await run("apt-get", [
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  return /^Debian (\S+)$/m.exec(targets)?.[1] ?? "http://deb.debian.org/debian";
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await prepareDelivery();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
