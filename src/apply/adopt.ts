/** What a dead daemon left in the kernel, read as what it knew. Pure. */
import type { Configuration } from "../config/model.ts";
import { formOfTunnel } from "../plan/form.ts";
import { type Ids, idOfPeer, isPlaceholder, nexthopId, peerKey } from "../plan/ids.ts";
import { aliasOf } from "../plan/ownership.ts";
import type { KnownEndpoint } from "../plan/situation.ts";
import type { Observation } from "./observation.ts";

/** Endpoints of peers that still stand, by `tunnel/peer`. */
export function adoptable(
  configuration: Configuration,
  ids: Ids,
  observation: Observation,
): Map<string, KnownEndpoint> {
  const found = new Map<string, KnownEndpoint>();
  const { ruleset } = observation;
  const proofs = new Map(
    ruleset.kind === "ours"
      ? ruleset.proofs.map((proof) => [`${proof.tunnel} ${proof.endpoint.address}`, proof] as const)
      : [],
  );
  const links = new Map(
    observation.resources.flatMap((r) =>
      r.object === "link" ? [[r.spec.name, r.spec] as const] : [],
    ),
  );
  const nexthops = new Map(
    observation.resources.flatMap((r) =>
      r.object === "nexthop" ? [[r.spec.id, r.spec] as const] : [],
    ),
  );
  for (const tunnel of configuration.tunnels) {
    const link = links.get(tunnel.interface);
    if (link === undefined) continue;
    for (const peer of tunnel.peers) {
      const key = peerKey(tunnel.name, peer.name);
      const id = idOfPeer(ids, peer);
      const nexthop = nexthops.get(nexthopId(id));
      const direct = formOfTunnel(tunnel) === "direct";
      // The id stands for name and key: what another key had is not this peer's.
      const pointed = direct && link.alias === aliasOf(configuration.table, tunnel.name, id);
      const remote = direct
        ? pointed
          ? link.ipip.remote
          : undefined
        : nexthop?.to.kind === "gateway"
          ? nexthop.to.gateway
          : undefined;
      if (remote === undefined || isPlaceholder(remote)) continue;
      // Only what the gate still lets in is proven; its element also knows the port and the time left.
      const proof = proofs.get(`${tunnel.interface} ${remote}`);
      if (proof !== undefined)
        found.set(key, { endpoint: proof.endpoint, remaining: proof.remaining });
    }
  }
  return found;
}

/** The port of a tunnel that chose one itself, where its device still stands. */
export function portInUse(observation: Observation, device: string): number | undefined {
  for (const resource of observation.resources) {
    if (resource.object === "link" && resource.spec.name === device) {
      return resource.spec.ipip.fou?.sourcePort;
    }
  }
  return undefined;
}
