/** Programs that hold our ports. Pure. */
import { formatEndpoint, type IpAddress } from "../../../net/address.ts";
import { exitCode } from "../../../net/failure.ts";
import { type Finding, hindrance } from "../../finding.ts";
import type { Judged } from "../judged.ts";
import { holderWords } from "./kernel.ts";

export function portFindings({ configuration, observation, situation, facts }: Judged): Finding[] {
  const { listeners = [] } = observation;
  // A listener of FOU's is a socket too, which nobody holds; whose it is has been looked at.
  const isListener = (local: IpAddress | undefined, port: number): boolean =>
    listeners.some((listener) => listener.port === port && listener.local === local);
  const foreign = facts.udpSockets.filter(({ local, port }) => !isListener(local, port));
  return configuration.tunnels.flatMap((tunnel) => {
    const underlay = situation.underlays.get(tunnel.name);
    if (tunnel.encapsulation !== "fou" || underlay?.local === undefined) return [];
    const { local, port } = underlay;
    const other = foreign.find(
      (socket) => socket.port === port && (socket.local === undefined || socket.local === local),
    );
    if (other === undefined) return [];
    const at = formatEndpoint({ address: local, port });
    const what = `tunnel ${tunnel.name}: another program${holderWords(other.holder)} has a UDP socket at ${at}`;
    const mend = `stop it (\`ss -ulnp sport = :${port}\`), or set another port in \`listen\``;
    return [hindrance(exitCode.conflict, "port-in-use", what, mend)];
  });
}
