/** Questions to the file system about the host. Reads alone; what can't be read gives nothing. */
import { constants } from "node:fs";
import { access, readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Holder, PlaceProblem } from "./facts.ts";

export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true && may(path, constants.X_OK);
}

/** Whether a user who is nobody to it may open it: every folder on the way counts. */
export async function isPublic(path: string): Promise<boolean> {
  try {
    const real = await realpath(path);
    if (((await stat(real)).mode & 0o004) === 0) return false;
    for (let at = dirname(real); ; at = dirname(at)) {
      if (((await stat(at)).mode & 0o001) === 0) return false;
      if (at === dirname(at)) return true;
    }
  } catch {
    return false;
  }
}

/** Milliseconds since 1970. */
export async function changedAt(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}

/** Whether a file can be made in this folder, or the folder itself where it is not there yet. */
export async function placeProblem(folder: string): Promise<PlaceProblem | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => error.code ?? "");
    if (found === "ENOENT" && at !== dirname(at)) continue;
    if (found === "ENOTDIR" || (typeof found === "object" && !found.isDirectory())) {
      return { path: at, why: "no-folder" };
    }
    if (typeof found === "string") return { path: at, why: "denied" };
    try {
      await access(at, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      const readOnly = (error as NodeJS.ErrnoException).code === "EROFS";
      return { path: at, why: readOnly ? "read-only" : "denied" };
    }
  }
}

async function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** Whose process this is. */
export async function holderOf(pid: number): Promise<Holder> {
  const program = (await textOf(`/proc/${pid}/comm`))?.trimEnd();
  return { pid: program === undefined ? undefined : pid, program };
}

/** Who has sockets open, by their inode numbers; of other users' processes only root sees it. */
export async function socketHolders(inodes: ReadonlySet<number>): Promise<Map<number, Holder>> {
  const holders = new Map<number, Holder>();
  if (inodes.size === 0) return holders;
  for (const pid of await namesIn("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await namesIn(`/proc/${pid}/fd`)) {
      const target = await readlink(join("/proc", pid, "fd", fd)).catch(() => "");
      const inode = Number(/^socket:\[(\d+)\]$/.exec(target)?.[1]);
      if (inodes.has(inode)) holders.set(inode, await holderOf(Number(pid)));
    }
    if (holders.size === inodes.size) break;
  }
  return holders;
}
