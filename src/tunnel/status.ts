/** `status --json` (fields may be added, never renamed), made from what is known. Pure. */

import type { TunnelConfig } from "../config/model.ts";
import { formatEndpoint, formatPrefix, type IpAddress } from "../net/address.ts";
import type { Link } from "../net/objects.ts";
import { formOfTunnel, type PeerForm } from "../plan/form.ts";
import { isPlaceholder } from "../plan/ids.ts";
import { type Peer, type PeerState, stateOf } from "./peers.ts";

export interface Status {
  readonly tunnels: readonly TunnelStatus[];
  readonly queue: {
    readonly received: number;
    readonly accepted: number;
    readonly refused: number;
    readonly dropped: number;
  };
}

export interface TunnelStatus {
  readonly name: string;
  readonly interface: string;
  readonly state: "up" | "degraded" | "down";
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly listen: {
    readonly address: string | null;
    readonly port: number | null;
    readonly device: string | null;
  };
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
  /** Where peers come from beside the configuration. */
  readonly directory?: DirectoryStatus;
  readonly peers: readonly PeerStatus[];
}

export interface DirectoryStatus {
  readonly source: string;
  /** null: it has not said anything yet. */
  readonly nodes: number | null;
  /** Why it says nothing now; null: all is well. */
  readonly trouble: string | null;
}

export interface PeerStatus {
  readonly name: string;
  readonly state: PeerState;
  readonly form: PeerForm;
  readonly endpoint: string | null;
  readonly lastAuthentication: string | null;
  readonly expires: string | null;
  readonly protocol: number;
  readonly allowedIPs: readonly string[];
  /** null: not counted. */
  readonly rxBytes: number | null;
  readonly rxPackets: number | null;
  readonly txBytes: number | null;
  readonly txPackets: number | null;
  /** Seconds from one authentication of ours to the next; null: none. */
  readonly keepalive: number | null;
}

export interface TunnelFacts {
  readonly tunnel: TunnelConfig;
  readonly local: IpAddress;
  readonly port: number;
  readonly device: string | undefined;
  /** Its device has not its outer address: another tunnel has it. */
  readonly translated: boolean;
  /** undefined: the device is not there. */
  readonly link: Link | undefined;
  readonly directory?: DirectoryStatus | undefined;
  readonly peers: readonly Peer[];
}

export function tunnelStatus(facts: TunnelFacts): TunnelStatus {
  const { tunnel, local, port, device, link } = facts;
  const statistics = link?.statistics;
  return {
    name: tunnel.name,
    interface: tunnel.interface,
    state: stateOfTunnel(link, local),
    mtu: link?.mtu ?? 0,
    addresses: tunnel.addresses.map((address) =>
      formatPrefix({ address: address.local, length: address.length }),
    ),
    listen: {
      address: isPlaceholder(local) ? null : local,
      port: port === 0 ? null : port,
      device: device ?? null,
    },
    rxBytes: Number(statistics?.rxBytes ?? 0n),
    rxPackets: Number(statistics?.rxPackets ?? 0n),
    txBytes: Number(statistics?.txBytes ?? 0n),
    txPackets: Number(statistics?.txPackets ?? 0n),
    ...(facts.directory && { directory: facts.directory }),
    peers: facts.peers.map(peerStatus(facts)),
  };
}

function stateOfTunnel(link: Link | undefined, local: IpAddress): TunnelStatus["state"] {
  if (link === undefined || !link.up) return "down";
  return isPlaceholder(local) ? "degraded" : "up";
}

function peerStatus({ tunnel, link, translated }: TunnelFacts): (peer: Peer) => PeerStatus {
  // A direct tunnel's device has one peer: its counters are the peer's.
  const own = formOfTunnel(tunnel) === "direct" ? link?.statistics : undefined;
  return (peer) => ({
    name: peer.config.name,
    state: stateOf(peer),
    form: translated || isTranslated(peer) ? "translated" : formOfTunnel(tunnel),
    endpoint: peer.wanted === undefined ? null : formatEndpoint(peer.wanted),
    lastAuthentication: time(peer.lastAuthentication),
    expires: time(peer.expires),
    protocol: 1,
    allowedIPs: (peer.config.allowedIPs ?? []).map(formatPrefix),
    rxBytes: own === undefined ? null : Number(own.rxBytes),
    rxPackets: own === undefined ? null : Number(own.rxPackets),
    txBytes: own === undefined ? null : Number(own.txBytes),
    txPackets: own === undefined ? null : Number(own.txPackets),
    keepalive: peer.config.keepalive > 0 ? peer.config.keepalive / 1000 : null,
  });
}

function isTranslated({ wanted, standing }: Peer): boolean {
  return wanted !== undefined && standing.translated;
}

function time(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
