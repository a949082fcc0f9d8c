/** What an instance says of itself, to `ipipoud status` and to Prometheus. */
import type { Configuration, TunnelConfig } from "../config/model.ts";
import type { Link } from "../net/objects.ts";
import { peerKey } from "../plan/ids.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import { type Status, type TunnelStatus, tunnelStatus } from "../tunnel/status.ts";
import type { Directories } from "./directories.ts";
import { countStates, type Measurement } from "./metrics/measurement.ts";
import type { Reception } from "./reception.ts";
import type { Surroundings } from "./surroundings.ts";

/** Whom it asks. */
export interface Reported {
  readonly configuration: Configuration;
  readonly peers: Peers;
  readonly surroundings: Surroundings;
  /** Neither is there where nothing needs it. */
  readonly directories: Directories | undefined;
  readonly reception: Reception | undefined;
}

/** Interfaces of the host, by name. */
type Links = ReadonlyMap<string, Link>;

export function statusOf(of: Reported, links: Links): Status {
  return {
    tunnels: of.configuration.tunnels.map((tunnel) =>
      statusOfTunnel(of, tunnel, links, peersOf(of, tunnel)),
    ),
    queue: statusOfQueue(of),
  };
}

/** The peers one by one only where they are no more than this. */
export function measurementOf(of: Reported, links: Links, mostPeers: number): Measurement {
  const { tunnels } = of.configuration;
  const single = tunnels.reduce((count, { peers }) => count + peers.length, 0) <= mostPeers;
  return {
    tunnels: tunnels.map((tunnel) => {
      const peers = peersOf(of, tunnel);
      const status = statusOfTunnel(of, tunnel, links, single ? peers : []);
      return { ...status, states: countStates(peers) };
    }),
    queue: statusOfQueue(of),
  };
}

function statusOfTunnel(
  { surroundings, directories }: Reported,
  tunnel: TunnelConfig,
  links: Links,
  peers: readonly Peer[],
): TunnelStatus {
  const { port, device = tunnel.listen.device } = surroundings.underlay(tunnel);
  const local = surroundings.localOf(tunnel);
  const link = links.get(tunnel.interface);
  const translated = surroundings.isTranslated(tunnel);
  const directory = directories?.statusOf(tunnel.name);
  return tunnelStatus({ tunnel, local, port, device, translated, link, directory, peers });
}

function statusOfQueue({ reception }: Reported): Status["queue"] {
  const counters = reception?.counters();
  return {
    received: counters?.received ?? 0,
    accepted: reception?.accepted ?? 0,
    refused: reception?.refused ?? 0,
    dropped: (counters?.rejected ?? 0) + (counters?.malformed ?? 0),
  };
}

function peersOf({ peers }: Reported, tunnel: TunnelConfig): Peer[] {
  return tunnel.peers.flatMap(({ name }) => peers.get(peerKey(tunnel.name, name)) ?? []);
}
