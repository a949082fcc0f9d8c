/** Where the lab finds the project and keeps what it fetched. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout: this file runs as dist/test/lab/paths.js. */
export const projectRoot = resolve(fileURLToPath(new URL("../../../", import.meta.url)));

/** Kernels, RAM disks and remembered answers; safe to delete at any time when nothing runs. */
export const cacheFolder = process.env["IPIPOUD_LAB_CACHE"] ?? "/var/tmp/ipipoud-lab";

/** Programs of Debian's package prometheus; `node test/lab/setup.mjs` puts them there. */
export const prometheusProgram = (name: "prometheus" | "promtool"): string =>
  join(cacheFolder, "prometheus", "usr", "bin", name);

/** Of Debian's package etcd-server; put there as well. */
export const etcdProgram = join(cacheFolder, "etcd-server", "usr", "bin", "etcd");

/**
 * One virtual machine of each kernel at a time: whoever boots one holds this file (flock(1)). Two make use of
 * two processors, as each has one.
 */
export const lockFile = (kernel: string): string => `/tmp/ipipoud-lab-${kernel}.lock`;

/** Files of the source tree that the compiler does not copy. */
export const sourceFile = (...parts: string[]): string => join(projectRoot, "test", ...parts);
