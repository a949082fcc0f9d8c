/**
 * Debian kernels for the guest: downloaded once, unpacked beside each other in the cache folder.
 * Nothing is installed; the packages' own scripts never run.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./paths.ts";
import { capture, run } from "./run.ts";

/** What people call it → Debian's package that always depends on the newest build of it. */
const metaPackages = {
  "6.1": "linux-image-amd64",
  "6.12": "linux-image-6.12-amd64",
} as const;

export type KernelName = keyof typeof metaPackages;
export const kernelNames = Object.keys(metaPackages) as readonly KernelName[];

export function isKernelName(name: string): name is KernelName {
  return name in metaPackages;
}

export interface Kernel {
  readonly name: KernelName;
  /** `uname -r`. */
  readonly release: string;
  readonly image: string;
  /** Holds lib/modules/RELEASE, as `modprobe --dirname` takes it. */
  readonly root: string;
}

/** Module folders that a guest can have a use for: the rest is 90 % of the package. */
const keptModules =
  /^kernel\/(net|lib|crypto|arch|fs\/(9p|netfs|fscache|overlayfs)|drivers\/(virtio|net\/[^/]*\.ko|net\/wireguard|char\/virtio_console))/;

/** The kernel from the cache, or fetched now; `say` gets a line when that takes long. */
export async function kernel(name: KernelName, say: (line: string) => void): Promise<Kernel> {
  const folder = join(cacheFolder, `kernel-${name}`);
  if (!existsSync(folder)) {
    await fetch(name, folder, say);
  }
  const release = (await readFile(join(folder, "release"), "utf8")).trim();
  return { name, release, image: join(folder, "boot", `vmlinuz-${release}`), root: folder };
}

async function fetch(name: KernelName, folder: string, say: (line: string) => void): Promise<void> {
  const work = join(cacheFolder, `fetching-${name}-${process.pid}`);
  await rm(work, { recursive: true, force: true });
  const unpacked = join(work, "root");
  await mkdir(unpacked, { recursive: true });
  try {
    say(`downloading kernel ${name} (about 100 MB, once)`);
    const package_ = await download(metaPackages[name], work, say);
    const deb = (await readdir(work)).find((file) => file.endsWith(".deb"));
    if (deb === undefined) {
      throw new Error(`apt-get download ${package_} left no file`);
    }
    say(`unpacking kernel ${name}`);
    await run("dpkg", ["-x", join(work, deb), unpacked]);
    const release = package_.replace(/^linux-image-/, "");
    await pruneModules(join(unpacked, "lib", "modules", release));
    await run("depmod", ["-b", unpacked, release]);
    await writeFile(join(unpacked, "release"), `${release}\n`);
    // Whoever comes second loses nothing but the work.
    await rename(unpacked, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Downloads what the package depends on into the folder; refreshes apt's lists where they are too old for that. */
async function download(
  meta: string,
  folder: string,
  say: (line: string) => void,
): Promise<string> {
  const attempt = async (): Promise<string> => {
    const package_ = await imagePackage(meta);
    const options = ["-qq", "-o", "APT::Sandbox::User=root"];
    await run("apt-get", [...options, "download", package_], { cwd: folder });
    return package_;
  };
  try {
    return await attempt();
  } catch {
    say("refreshing apt's package lists");
    await capture("apt-get", ["update", "-qq"]);
    return await attempt();
  }
}

/** `linux-image-6.1.0-49-amd64` for `linux-image-amd64`. */
async function imagePackage(meta: string): Promise<string> {
  const { code, stdout, stderr } = await capture("apt-cache", ["depends", meta]);
  const package_ = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (code !== 0 || package_ === undefined) {
    throw new Error(
      `no package ${meta} in apt's lists (Debian 12 with apt-get update run?): ${stderr.trim()}`,
    );
  }
  return package_;
}

/** Drops what no guest needs and unpacks the rest: busybox's insmod reads plain files only. */
async function pruneModules(folder: string): Promise<void> {
  const packed: string[] = [];
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!/\.ko(\.xz)?$/.test(entry)) continue;
    if (!keptModules.test(entry)) {
      await rm(join(folder, entry));
    } else if (entry.endsWith(".xz")) {
      packed.push(join(folder, entry));
    }
  }
  for (let at = 0; at < packed.length; at += 200) {
    await run("xz", ["-d", "-T0", ...packed.slice(at, at + 200)]);
  }
}
