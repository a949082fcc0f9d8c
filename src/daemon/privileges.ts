/** What the process may do, asked before anything is touched. */
import { readFile } from "node:fs/promises";
import { missingCapabilities } from "../apply/host/proc.ts";
import { exitCode, Failure } from "../net/failure.ts";

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
