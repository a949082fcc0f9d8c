/** The RAM disk a guest starts from: busybox, init.sh, and the modules that reach the host's root. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Kernel } from "./kernels.ts";
import { cacheFolder, sourceFile } from "./paths.ts";
import { run } from "./run.ts";

const busybox = "/bin/busybox";

/** Built in on some kernels: modprobe then lists none. */
const modules = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/** Path of the RAM disk for this kernel, built when there is none of this content. */
export async function ramdisk(kernel: Kernel): Promise<string> {
  const init = await readFile(sourceFile("lab", "init.sh"));
  const tag = createHash("sha256")
    .update(init)
    .update(modules.join())
    .update(kernel.release)
    .digest("hex")
    .slice(0, 12);
  const file = join(cacheFolder, `ramdisk-${kernel.name}-${tag}.cpio`);
  if (existsSync(file)) return file;

  const work = join(cacheFolder, `ramdisk-${kernel.name}-${process.pid}`);
  await rm(work, { recursive: true, force: true });
  await mkdir(join(work, "bin"), { recursive: true });
  await mkdir(join(work, "modules"));
  try {
    await copyFile(busybox, join(work, "bin", "busybox"));
    await writeFile(join(work, "init"), init);
    await chmod(join(work, "init"), 0o755);
    const order = await insertionOrder(kernel);
    for (const module of order) {
      await copyFile(module, join(work, "modules", basename(module)));
    }
    await writeFile(
      join(work, "modules", "order"),
      order.map((module) => `${basename(module)}\n`).join(""),
    );
    const archive = `${work}.cpio`;
    await run("sh", ["-c", `find . | cpio -o -H newc --quiet > '${archive}'`], { cwd: work });
    await rename(archive, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

/** Files in the order that satisfies their dependencies. */
async function insertionOrder(kernel: Kernel): Promise<string[]> {
  const out = await run("modprobe", [
    ...["-C", "/dev/null", "-d", kernel.root, "-S", kernel.release],
    ...["--show-depends", "-a", ...modules],
  ]);
  return [...new Set([...out.matchAll(/^insmod (\S+)/gm)].map((match) => match[1] ?? ""))];
}
