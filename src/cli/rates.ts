/** What changes from one status to the next, as rates. Pure. */
import type { PeerStatus, Status, TunnelStatus } from "../tunnel/status.ts";

/** Per second; null where nothing is counted, or nothing is there to compare with. */
export interface Rates {
  readonly rxBytesPerSecond: number | null;
  readonly txBytesPerSecond: number | null;
  readonly rxPacketsPerSecond: number | null;
  readonly txPacketsPerSecond: number | null;
}

export type PeerRates = PeerStatus & Rates;
export type TunnelRates = Omit<TunnelStatus, "peers"> &
  Rates & { readonly peers: readonly PeerRates[] };

/** What `status --watch --json` prints every time: the status, with rates. */
export interface StatusRates extends Omit<Status, "tunnels"> {
  /** RFC 3339. */
  readonly time: string;
  /** Seconds since the one before; null for the first. */
  readonly interval: number | null;
  readonly tunnels: readonly TunnelRates[];
}

export interface Sample {
  readonly status: Status;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export function withRates(now: Sample, before: Sample | undefined): StatusRates {
  const seconds = before === undefined ? null : (now.at - before.at) / 1000;
  const former = new Map(before?.status.tunnels.map((tunnel) => [tunnel.name, tunnel]));
  return {
    time: new Date(now.at).toISOString(),
    interval: seconds,
    ...now.status,
    tunnels: now.status.tunnels.map((tunnel) => {
      const was = former.get(tunnel.name);
      const peers = new Map(was?.peers.map((peer) => [peer.name, peer]));
      return {
        ...tunnel,
        ...rates(tunnel, was, seconds),
        peers: tunnel.peers.map((peer) => ({
          ...peer,
          ...rates(peer, peers.get(peer.name), seconds),
        })),
      };
    }),
  };
}

type Counts = Pick<PeerStatus, "rxBytes" | "txBytes" | "rxPackets" | "txPackets">;

function rates(now: Counts, before: Counts | undefined, seconds: number | null): Rates {
  const rate = (key: keyof Counts): number | null => {
    const [last, first] = [now[key], before?.[key] ?? null];
    // A device that was made anew counts from zero.
    if (last === null || first === null || seconds === null || seconds <= 0 || last < first)
      return null;
    return Math.round(((last - first) / seconds) * 10) / 10;
  };
  return {
    rxBytesPerSecond: rate("rxBytes"),
    txBytesPerSecond: rate("txBytes"),
    rxPacketsPerSecond: rate("rxPackets"),
    txPacketsPerSecond: rate("txPackets"),
  };
}
