/** Reads kernel parameters; changes nothing. */
import { readdir } from "node:fs/promises";
import { readSysctl } from "../kernel/sysctl.ts";
import { IP_FORWARD } from "../plan/sysctls.ts";

/**
 * The values of those that exist. With `ip_forward`, while it is off, also what the kernel would change
 * along with it.
 */
export async function readSysctls(names: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  const read = async (name: string): Promise<void> => {
    const value = await readSysctl(name);
    if (value !== undefined) values.set(name, value);
  };
  for (const name of new Set(names)) await read(name);
  if (values.get(IP_FORWARD) !== "0") return values;
  await read("net/ipv4/conf/all/accept_redirects");
  for (const device of await readdir("/proc/sys/net/ipv4/conf")) {
    if (device !== "all") await read(`net/ipv4/conf/${device}/forwarding`);
  }
  return values;
}
