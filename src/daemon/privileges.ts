/** What the process may do: asked before anything is touched, and no more than that once it has begun. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  CAP_NET_BIND_SERVICE,
  hasMoreThan,
  missingCapabilities,
  NEEDED,
} from "../apply/host/proc.ts";
import type { Configuration } from "../config/model.ts";
import type { Addon } from "../native/addon.ts";
import { exitCode, Failure } from "../net/failure.ts";
import type { Log } from "./log.ts";

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

/**
 * Gives up whatever else it was started with, where the unit has not done so already: whoever gets hold of the process
 * can only do what it does. Files are opened by now, so that those of others, which root can read, still were.
 */
export function giveUpOthers(
  addon: Pick<Addon, "restrictTo">,
  configuration: Configuration,
  log: Pick<Log, "warning">,
): void {
  const needed = NEEDED + (listensLow(configuration) ? CAP_NET_BIND_SERVICE : 0);
  if (!hasMoreThan(needed, readFileSync("/proc/self/status", "utf8"))) return;
  try {
    addon.restrictTo(needed);
  } catch (error) {
    // A filter of system calls may forbid it; then somebody has already thought of this.
    const reason = error instanceof Error ? error.message : String(error);
    log.warning("capabilities that it does not need stay with it", { reason });
  }
}

/** ip(7): ports that want a capability of their own end where the administrator says. */
function listensLow({ tunnels }: Pick<Configuration, "tunnels">): boolean {
  const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  const first = Number(readFileSync(file, "utf8"));
  return tunnels.some(({ listen: { port } }) => port !== undefined && port > 0 && port < first);
}
