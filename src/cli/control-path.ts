/** Where the running daemon's control socket lies. */
import { defaultControlPath } from "../daemon/protocol.ts";

/**
 * What was named, else what the configuration says, else the default. The default configuration is not
 * read for it: whoever may use the socket need not be able to read keys.
 */
export async function controlPath(options: {
  readonly control: string | undefined;
  readonly configPaths: readonly string[];
}): Promise<string> {
  if (options.control !== undefined) return options.control;
  if (options.configPaths.length === 0) return defaultControlPath;
  const { loadConfiguration } = await import("../config/load.ts");
  return loadConfiguration(options.configPaths).control;
}
