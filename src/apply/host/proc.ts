/** Files below /proc, as values. Pure; what can't be read as such gives nothing. */

/** include/uapi/linux/capability.h */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;

/** Names of the two that are missing from the effective set in this /proc/PID/status text. */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

/** Of those two, as a mask. */
export const NEEDED = Object.values(CAPABILITIES).reduce((mask, bit) => mask + 2 ** bit, 0);

/** As a mask: listeners at low ports are made again whenever their peer moves. */
export const CAP_NET_BIND_SERVICE = 2 ** 10;

/** Whether this /proc/PID/status text tells of any capability beyond these, or of a way to get one. */
export function hasMoreThan(needed: number, status: string): boolean {
  const beyond = ["CapInh", "CapPrm", "CapBnd", "CapAmb"].some((name) => {
    const set = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0";
    return (BigInt(`0x${set}`) & ~BigInt(needed)) !== 0n;
  });
  return beyond || !/^NoNewPrivs:\s*1$/m.test(status);
}

/** Of /proc/self/uid_map: the first user namespace maps everybody to themselves. */
export function isFirstUserNamespace(uidMap: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

/** /proc/net/unix: paths that somebody listens on (SO_ACCEPTCON), abstract ones with their `@`. */
export function listeningPaths(text: string): Set<string> {
  return new Set(
    text.split("\n").flatMap((line) => {
      const match = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) \d+ \d+ +\d+ (.+)$/.exec(line);
      const [, flags = "0", path] = match ?? [];
      if (path === undefined || (Number.parseInt(flags, 16) & 0x10000) === 0) return [];
      // An abstract name may be bound with all the room that a name has, and its zeros are shown as `@`.
      return [path.startsWith("@") ? path.replace(/@+$/, "") : path];
    }),
  );
}

/**
 * /proc/net/ip_tables_names: the older packet filter's tables of this namespace, of which there is none before
 * somebody uses it; those that can drop what comes in.
 */
export function legacyTables(text: string): string[] {
  const dropping = new Set(["raw", "mangle", "filter", "security"]);
  return text.split("\n").filter((name) => dropping.has(name));
}

/** "Max open files" of /proc/self/limits: the hard one. */
export function openFilesLimit(text: string): number | undefined {
  const hard = /^Max open files\s+\S+\s+(\d+)\s/m.exec(text)?.[1];
  return hard === undefined ? undefined : Number(hard);
}

/**
 * When the kernel was built, of `uname -v`, in seconds since 1970: Debian's `… (2025-10-12)`, or the date
 * that the build itself leaves (`#1 SMP Mon Jan  5 10:11:12 UTC 2025`).
 */
export function kernelBuilt(version: string): number | undefined {
  const day = /\((\d{4}-\d{2}-\d{2})\)/.exec(version)?.[1];
  const date = /([A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2}) [A-Z]+ (\d{4})\s*$/.exec(version);
  const time = Date.parse(day ?? (date === null ? "" : `${date[1]} ${date[2]} UTC`));
  return Number.isNaN(time) ? undefined : time / 1000;
}
