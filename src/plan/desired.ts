/** Configuration and situation → everything that should be in the kernel. Pure. */
import type { Configuration, TunnelConfig } from "../config/model.ts";
import { formOfTunnel, translatedTunnels } from "./form.ts";
import { marksOf } from "./full-tunnel.ts";
import type { Gate } from "./gate.ts";
import { gateOf } from "./gate-of.ts";
import { assignIds, type Ids, keyOfPeer } from "./ids.ts";
import { mobilityResources, writtenByHand } from "./mobility.ts";
import {
  endpointResources,
  listeners,
  standInOf,
  standInRoute,
  type TunnelContext,
  tunnelLink,
} from "./peer.ts";
import type { Resource } from "./resources.ts";
import {
  addresses,
  connectedNetworks,
  guardRoutes,
  peerRoutes,
  placeholderGuard,
} from "./routes.ts";
import type { Situation, Underlay } from "./situation.ts";
import { type WantedSysctl, wantedSysctls } from "./sysctls.ts";

export interface Desired {
  readonly resources: readonly Resource[];
  readonly gate: Gate;
  readonly sysctls: readonly WantedSysctl[];
}

export function desiredState(
  configuration: Configuration,
  situation: Situation,
  ids: Ids = assignIds(configuration),
): Desired {
  const translated = translatedTunnels(configuration.tunnels, situation);
  const marks = marksOf(configuration.tunnels);
  const contexts = configuration.tunnels.map((tunnel) =>
    contextOf(configuration, ids, tunnel, situation, { translated, marks }),
  );
  const resources: Resource[] = [placeholderGuard(configuration.table)];
  for (const context of contexts) addTunnelResources(resources, context, situation);
  return {
    resources,
    gate: gateOf(configuration, situation, contexts),
    sysctls: wantedSysctls(configuration.tunnels),
  };
}

/** What takes a look at all peers or tunnels, where the caller has it already. */
export interface Reckoned {
  /** Of outer packets, by name of the tunnel. */
  readonly marks?: ReadonlyMap<string, number>;
  /** Names of tunnels. */
  readonly translated?: ReadonlySet<string>;
}

export function contextOf(
  configuration: Configuration,
  ids: Ids,
  tunnel: TunnelConfig,
  situation: Situation,
  given: Reckoned = {},
): TunnelContext {
  const translated = given.translated ?? translatedTunnels(configuration.tunnels, situation);
  return {
    table: configuration.table,
    ids,
    tunnel,
    underlay: underlayOf(situation, tunnel),
    fwmark: (given.marks ?? marksOf(configuration.tunnels)).get(tunnel.name) ?? 0,
    translated: translated.has(tunnel.name),
  };
}

/** Into one list: a hub has hundreds of thousands. */
function addTunnelResources(
  resources: Resource[],
  context: TunnelContext,
  situation: Situation,
): void {
  const { tunnel, underlay } = context;
  const guards = guardRoutes(context);
  for (const guard of guards) resources.push(guard);
  resources.push(...addresses(context));
  if (formOfTunnel(tunnel) === "hub") {
    const standIn = standInOf(context, undefined);
    // The port to send to comes from the gate's map, by outer address; this one is never seen outside.
    const pointing = { remote: undefined, destinationPort: underlay.port, standIn };
    resources.push(
      tunnelLink(context, pointing),
      ...listeners(context, undefined, standIn),
      ...standInRoute(context, standIn),
    );
  }
  const connected = new Set([...connectedNetworks(tunnel), ...writtenByHand(tunnel)]);
  for (const peer of tunnel.peers) {
    const known = situation.endpoints.get(keyOfPeer(context.ids, peer));
    for (const resource of endpointResources(context, peer, known)) resources.push(resource);
    for (const route of peerRoutes(context, peer, connected)) resources.push(route);
  }
  for (const resource of mobilityResources(context, guards)) resources.push(resource);
}

function underlayOf(situation: Situation, tunnel: TunnelConfig): Underlay {
  const underlay = situation.underlays.get(tunnel.name);
  if (underlay === undefined) throw new RangeError(`no underlay for tunnel ${tunnel.name}`);
  return underlay;
}
