/** What the process may do, asked before anything is touched. */
import { readFile } from "node:fs/promises";
import { exitCode, Failure } from "../net/failure.ts";

/** include/uapi/linux/capability.h */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;

/** Names of the two that are missing from the effective set in this /proc/PID/status text. */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

/** Throws a {@link Failure} that names what is missing. */
export async function demandPrivileges(): Promise<void> {
  const missing = missingCapabilities(await readFile("/proc/self/status", "utf8"));
  if (missing.length === 0) return;
  throw new Failure(
    exitCode.privilege,
    `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} missing`,
    "run it as root, or give it both capabilities (systemd: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW)",
  );
}
