/** Whether the kernel has what a module brings, or would load it by itself. */
import { release } from "node:os";
import { basename, join } from "node:path";
import { decodeDevice, dumpLinksOfKind } from "../../kernel/link.ts";
import { readSysctl } from "../../kernel/sysctl.ts";
import type { Sockets } from "../sockets.ts";
import type { ModuleState } from "./facts.ts";
import { isExecutable, isThere, textOf } from "./look.ts";

/** Of those that load themselves for a process with CAP_NET_ADMIN; `fou` does not. */
export async function moduleStates({
  route,
}: Pick<Sockets, "route">): Promise<Map<string, ModuleState>> {
  const states = new Map<string, ModuleState>();
  states.set("ipip", (await knowsIpip(route)) ? "there" : await loadable("ipip"));
  const queue = await isThere("/proc/net/netfilter/nfnetlink_queue");
  states.set("nfnetlink_queue", queue ? "there" : await loadable("nfnetlink_queue"));
  return states;
}

/**
 * A list that is restricted to a kind that the kernel does not know is not restricted (rtnl_dump_ifinfo):
 * it has the loopback device, which is of no kind.
 */
async function knowsIpip(route: Sockets["route"]): Promise<boolean> {
  const messages = await route.dump(dumpLinksOfKind("ipip"));
  return !messages.some((message) => decodeDevice(message)?.name === "lo");
}

async function loadable(name: string): Promise<ModuleState> {
  // A kernel that knows no modules has what it has.
  if (!(await isThere("/proc/modules"))) return "absent";
  const folder = join("/lib/modules", release());
  const [list, builtin] = await Promise.all([
    textOf(join(folder, "modules.dep")),
    textOf(join(folder, "modules.builtin")),
  ]);
  if (list === undefined) return "unknown";
  const file = new RegExp(`(^|/)${name}\\.ko`, "m");
  if (builtin !== undefined && file.test(builtin)) return "there";
  if (!file.test(list)) return "absent";
  return (await loadsByItself()) ? "loadable" : "unloadable";
}

/** request_module() starts this program; `/bin/true` or `/bin/false` is how people say that it shall not. */
async function loadsByItself(): Promise<boolean> {
  if ((await readSysctl("kernel/modules_disabled").catch(() => undefined)) === "1") return false;
  const helper = await readSysctl("kernel/modprobe").catch(() => undefined);
  if (helper === undefined || helper === "") return false;
  return !/^(true|false)$/.test(basename(helper)) && (await isExecutable(helper));
}
