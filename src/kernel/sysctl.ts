/**
 * Kernel parameters, by their files below /proc/sys. Names are written with slashes
 * (`net/ipv4/conf/eth0.1/rp_filter`), because the names of interfaces may have dots.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = "/proc/sys";

/** The value without its line end; undefined: this kernel has no such parameter. */
export async function readSysctl(name: string, root = ROOT): Promise<string | undefined> {
  const path = pathOf(name, root);
  try {
    return (await readFile(path, "utf8")).trimEnd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Rejects with the file system's error: ENOENT, EACCES, EROFS, or EINVAL for a value it doesn't like. */
export async function writeSysctl(
  name: string,
  value: string | number,
  root = ROOT,
): Promise<void> {
  await writeFile(pathOf(name, root), `${value}\n`, { flag: "r+" });
}

/** Throws where a name would lead elsewhere: a name may hold an interface's, which others chose. */
function pathOf(name: string, root: string): string {
  const parts = name.split("/");
  const odd = (part: string) => part === "" || part === "." || part === ".." || part.includes("\0");
  if (parts.some(odd)) throw new TypeError(`"${name}" is no kernel parameter`);
  return join(root, ...parts);
}
