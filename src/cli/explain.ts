/** `ipipoud explain`: looks at the kernel and says what would happen to a packet. Changes nothing. */
import { explain } from "../apply/explain/explain.ts";
import { answered, readScene } from "../apply/explain/read.ts";
import { openSockets } from "../apply/sockets.ts";
import { loadConfiguration } from "../config/load.ts";
import type { Configuration, TunnelConfig } from "../config/model.ts";
import { asFailure } from "../daemon/failures.ts";
import { loadAddon } from "../native/addon.ts";
import type { IpAddress } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { nodesAtStart, withKnownNodes } from "../tunnel/directory/start.ts";
import { renderExplanation } from "./explain-text.ts";

export interface ExplainOptions {
  readonly configPaths: readonly string[];
  readonly address: IpAddress;
  readonly port: number | undefined;
  /** A tunnel's name, or its interface's. */
  readonly to: string | undefined;
  readonly source: IpAddress | undefined;
  readonly json: boolean;
}

/** Gives what is printed. Throws a {@link Failure}: privilege where the gate can't be seen. */
export async function explainAddress(options: ExplainOptions): Promise<string> {
  const { address, port, source } = options;
  const written = loadConfiguration([...options.configPaths]);
  const configuration = withKnownNodes(written, (tunnel) => nodesAtStart(written, tunnel));
  const tunnel = options.to === undefined ? undefined : tunnelNamed(configuration, options.to);
  const sockets = openSockets(loadAddon());
  try {
    const scene = await readScene(sockets, configuration);
    if (scene === undefined) {
      const what = "the gate can't be seen without CAP_NET_ADMIN";
      throw new Failure(exitCode.privilege, what, "run it as root");
    }
    const walk = explain(scene, { address, port, source, tunnel });
    const explanation = await answered(sockets, scene, walk);
    return options.json ? `${JSON.stringify(explanation)}\n` : renderExplanation(explanation);
  } catch (error) {
    throw asFailure(error);
  } finally {
    sockets.close();
  }
}

function tunnelNamed({ tunnels }: Configuration, name: string): TunnelConfig {
  const found = tunnels.find((tunnel) => [tunnel.name, tunnel.interface].includes(name));
  if (found !== undefined) return found;
  const some = tunnels.slice(0, 5).map((tunnel) => `"${tunnel.name}"`);
  const mend = some.length === 0 ? "it has none" : `it has ${some.join(", ")}`;
  throw new Failure(exitCode.usage, `the configuration has no tunnel "${name}"`, mend);
}
