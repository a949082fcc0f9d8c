/** What is known before anything has happened: from the configuration and from one look at the kernel. */
import type { Configuration } from "../config/model.ts";
import { familyOf, parseAddress, sameEndpoint } from "../net/address.ts";
import { foreignIpipOf } from "../plan/foreign.ts";
import { isPlain, type Outside, translatedTunnels } from "../plan/form.ts";
import { type Ids, idOf, keyOfPeer, placeholder } from "../plan/ids.ts";
import { claimOf, Places } from "../plan/places.ts";
import type { KnownEndpoint, Situation, Underlay } from "../plan/situation.ts";
import { underlayOf } from "../plan/underlay.ts";
import { adoptable, type Left, portInUse } from "./adopt.ts";
import type { Observation } from "./observation.ts";
import { choosePort } from "./port.ts";

export async function firstSituation(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
): Promise<Situation> {
  const outside = {
    underlays: await firstUnderlays(configuration, observation),
    foreignIpip: foreignIpipOf(observation.links, configuration.table),
  };
  const endpoints = firstEndpoints(configuration, ids, observation, outside);
  return { ...outside, endpoints, now: Date.now() / 1000 };
}

/** A tunnel that names no port keeps the one it has, or gets a free one. */
async function firstUnderlays(
  configuration: Configuration,
  observation: Observation,
): Promise<Map<string, Underlay>> {
  const underlays = new Map<string, Underlay>();
  for (const tunnel of configuration.tunnels) {
    const port = isPlain(tunnel)
      ? 0
      : (tunnel.listen.port ?? portInUse(observation, tunnel.interface));
    const draft = underlayOf(tunnel, observation, port ?? 0);
    const chosen = port ?? (await choosePort(draft.local));
    underlays.set(tunnel.name, { ...draft, port: chosen });
  }
  return underlays;
}

/**
 * What a dead daemon left, in the forms that it was in; then those that are dialled at an address, which
 * needs no resolving.
 */
function firstEndpoints(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
  outside: Outside,
): Map<string, KnownEndpoint> {
  const wanted = new Map<string, Left>();
  for (const left of adoptable(configuration, ids, observation)) {
    wanted.set(keyOfPeer(ids, left.peer), left);
  }
  for (const tunnel of configuration.tunnels) {
    for (const peer of tunnel.peers) {
      const { role, endpoint } = peer;
      if (role === "wait" || endpoint === undefined) continue;
      const address = parseAddress(endpoint.host);
      if (address === undefined || familyOf(address) !== "ipv4") continue;
      const at = { address, port: endpoint.port };
      const key = keyOfPeer(ids, peer);
      const before = wanted.get(key);
      const translated = before?.translated === true && sameEndpoint(before.endpoint, at);
      wanted.set(key, { tunnel, peer, endpoint: at, remaining: undefined, translated });
    }
  }
  return placed(configuration, ids, outside, wanted);
}

function placed(
  { tunnels }: Configuration,
  ids: Ids,
  outside: Outside,
  wanted: ReadonlyMap<string, Left>,
): Map<string, KnownEndpoint> {
  const translated = translatedTunnels(tunnels, outside);
  const places = new Places();
  for (const [key, { tunnel, peer, endpoint, translated: stays }] of wanted) {
    const outer = outside.underlays.get(tunnel.name)?.local;
    const own = outer === undefined || translated.has(tunnel.name);
    const local = own ? placeholder(idOf(ids, tunnel.name)) : outer;
    places.take(claimOf({ tunnel, peer, key, local, endpoint, stays }, outside.foreignIpip));
  }
  const endpoints = new Map<string, KnownEndpoint>();
  for (const [key, { endpoint, remaining }] of wanted) {
    const standing = places.standing(key);
    if (standing !== undefined) endpoints.set(key, { endpoint, remaining, ...standing });
  }
  return endpoints;
}
