/** What is known before anything has happened: from the configuration and from one look at the kernel. */
import type { Configuration } from "../config/model.ts";
import { familyOf, parseAddress } from "../net/address.ts";
import { foreignIpipOf } from "../plan/foreign.ts";
import { type Ids, peerKey } from "../plan/ids.ts";
import type { KnownEndpoint, Situation, Underlay } from "../plan/situation.ts";
import { underlayOf } from "../plan/underlay.ts";
import { adoptable, portInUse } from "./adopt.ts";
import type { Observation } from "./observation.ts";
import { choosePort } from "./port.ts";

export async function firstSituation(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
): Promise<Situation> {
  return {
    underlays: await firstUnderlays(configuration, observation),
    endpoints: firstEndpoints(configuration, ids, observation),
    foreignIpip: foreignIpipOf(observation.links, configuration.table),
    now: Date.now() / 1000,
  };
}

/** A tunnel that names no port keeps the one it has, or gets a free one. */
async function firstUnderlays(
  configuration: Configuration,
  observation: Observation,
): Promise<Map<string, Underlay>> {
  const underlays = new Map<string, Underlay>();
  for (const tunnel of configuration.tunnels) {
    const port = tunnel.listen.port ?? portInUse(observation, tunnel.interface);
    const draft = underlayOf(tunnel, observation, port ?? 0);
    const chosen = port ?? (await choosePort(draft.local));
    underlays.set(tunnel.name, { ...draft, port: chosen });
  }
  return underlays;
}

/** What a dead daemon left; and those that are dialled at an address, which needs no resolving. */
function firstEndpoints(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
): Map<string, KnownEndpoint> {
  const endpoints = adoptable(configuration, ids, observation);
  for (const tunnel of configuration.tunnels) {
    for (const { name, role, endpoint } of tunnel.peers) {
      if (role === "wait" || endpoint === undefined) continue;
      const address = parseAddress(endpoint.host);
      if (address === undefined || familyOf(address) !== "ipv4") continue;
      const known = { endpoint: { address, port: endpoint.port }, remaining: undefined };
      endpoints.set(peerKey(tunnel.name, name), known);
    }
  }
  return endpoints;
}
