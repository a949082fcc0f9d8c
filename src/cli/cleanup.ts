/** `ipipoud cleanup`: removes what a dead daemon left in the kernel, and only that. */
import { existsSync } from "node:fs";
import { inWords } from "../apply/change.ts";
import { compareWithNothing } from "../apply/compare.ts";
import { execute } from "../apply/execute.ts";
import { observe } from "../apply/observe.ts";
import { openSockets } from "../apply/sockets.ts";
import { defaultTable } from "../config/defaults.ts";
import { loadConfiguration } from "../config/load.ts";
import { asFailure } from "../daemon/failures.ts";
import { lockTable } from "../daemon/lock.ts";
import { demandPrivileges } from "../daemon/privileges.ts";
import { loadAddon } from "../native/addon.ts";
import { defaultConfigPath } from "./arguments.ts";

/** Gives what it removed, in words. Throws a {@link Failure}, where a daemon lives for example. */
export async function cleanUp(configPaths: readonly string[]): Promise<readonly string[]> {
  const table = tableOf(configPaths);
  await demandPrivileges();
  const sockets = openSockets(loadAddon());
  const lock = await lockTable(table);
  try {
    const look = { whole: false, sysctls: [] };
    const change = compareWithNothing(table, await observe(sockets, table, look));
    await execute(sockets, change);
    return inWords(change);
  } catch (error) {
    throw asFailure(error);
  } finally {
    lock.release();
    sockets.close();
  }
}

/** Of a configuration only the name of its table matters; without one it is the default. */
function tableOf(configPaths: readonly string[]): string {
  if (configPaths.length > 0) return loadConfiguration([...configPaths]).table;
  return existsSync(defaultConfigPath)
    ? loadConfiguration([defaultConfigPath]).table
    : defaultTable;
}
