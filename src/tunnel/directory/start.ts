/** What a directory is known to say before anybody has been asked: a start needs it at once. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { Complaint } from "../../config/complaint.ts";
import { largestHosts, readHosts } from "../../config/hosts.ts";
import type { Configuration, Nodes, TunnelConfig } from "../../config/model.ts";
import { type Pairing, withNodes } from "../../plan/directory.ts";
import { keptPath, readKept } from "./kept.ts";

/** A file as it is now, what somebody remembers, or what was kept on the disk: the first that is any good. */
export function nodesAtStart(
  { stateDirectory, table }: Pick<Configuration, "stateDirectory" | "table">,
  { name: tunnel, directory }: TunnelConfig,
  remembered?: Nodes,
): Nodes | undefined {
  if (directory === undefined) return undefined;
  const { from } = directory;
  const now = from.kind === "file" ? readNow(from.path) : undefined;
  return now ?? remembered ?? readKept(keptPath({ stateDirectory, table, tunnel, from }));
}

/** The configuration with the nodes of its directories, as far as they are known. */
export function withKnownNodes(
  configuration: Configuration,
  knownOf: (tunnel: TunnelConfig) => Nodes | undefined,
  pair?: Pairing,
): Configuration {
  if (configuration.tunnels.every(({ directory }) => directory === undefined)) return configuration;
  const tunnels = configuration.tunnels.map((tunnel) => {
    const nodes = knownOf(tunnel);
    return nodes === undefined ? tunnel : withNodes(tunnel, nodes, pair).tunnel;
  });
  return Object.freeze({ ...configuration, tunnels });
}

/** What is wrong with it is told by whoever follows it. */
function readNow(path: string): Nodes | undefined {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(file);
      if (!stat.isFile() || stat.size > largestHosts) return undefined;
      const nodes = readHosts(readFileSync(file, "utf8"));
      return nodes instanceof Complaint ? undefined : nodes;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
