/** From what is known to values of metrics. Pure. */
import { peerStates } from "../../tunnel/peers.ts";
import type { PeerStatus } from "../../tunnel/status.ts";
import type { LabelsOf, MetricName } from "./catalogue.ts";
import type { Measurement, TunnelMeasurement } from "./measurement.ts";

/** What of the process, rather than of tunnels, is told. */
export interface ProcessFacts {
  readonly version: string;
  readonly node: string;
  /** Seconds. */
  readonly cpu: number;
  readonly residentMemory: number;
  /** Seconds since 1970. */
  readonly startTime: number;
  readonly openFiles: number;
  readonly lastReload: { readonly successful: boolean; readonly at: number } | undefined;
  readonly events: ReadonlyMap<string, number>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** In the order of the catalogue's use; a metric without a value is not there. */
export type Samples = ReadonlyMap<MetricName, readonly Sample[]>;

export function samplesOf(measurement: Measurement, facts: ProcessFacts): Samples {
  const samples = new Map<MetricName, Sample[]>();
  const add = <N extends MetricName>(
    name: N,
    value: number | null | undefined,
    labels: Readonly<Record<LabelsOf<N>, string>>,
  ): void => {
    if (value === null || value === undefined) return;
    const those = samples.get(name);
    if (those === undefined) samples.set(name, [{ labels, value }]);
    else those.push({ labels, value });
  };

  add("ipipoud_build_info", 1, { version: facts.version, node: facts.node });
  const { lastReload } = facts;
  add("ipipoud_config_last_reload_successful", lastReload?.successful === false ? 0 : 1, {});
  add("ipipoud_config_last_reload_timestamp_seconds", seconds(lastReload?.at), {});
  let silent = 0;
  for (const tunnel of measurement.tunnels) {
    addTunnel(add, tunnel);
    for (const peer of tunnel.peers) addPeer(add, tunnel.name, peer);
    silent += sum(tunnel.states) - tunnel.peers.length;
  }
  add("ipipoud_peers_without_series", silent, {});
  const { received, accepted, refused, dropped } = measurement.queue;
  add("ipipoud_queue_received_packets_total", received, {});
  for (const [verdict, count] of Object.entries({ accepted, refused, dropped })) {
    add("ipipoud_queue_packets_total", count, { verdict });
  }
  for (const [event, count] of facts.events) add("ipipoud_events_total", count, { event });
  add("process_cpu_seconds_total", facts.cpu, {});
  add("process_resident_memory_bytes", facts.residentMemory, {});
  add("process_start_time_seconds", facts.startTime, {});
  add("process_open_fds", facts.openFiles, {});
  return samples;
}

type Add = <N extends MetricName>(
  name: N,
  value: number | null | undefined,
  labels: Readonly<Record<LabelsOf<N>, string>>,
) => void;

function addTunnel(add: Add, status: TunnelMeasurement): void {
  const { name: tunnel } = status;
  add("ipipoud_tunnel_info", 1, { tunnel, interface: status.interface });
  add("ipipoud_tunnel_up", status.state === "up" ? 1 : 0, { tunnel });
  add("ipipoud_tunnel_mtu_bytes", status.mtu, { tunnel });
  add("ipipoud_tunnel_receive_bytes_total", status.rxBytes, { tunnel });
  add("ipipoud_tunnel_receive_packets_total", status.rxPackets, { tunnel });
  add("ipipoud_tunnel_transmit_bytes_total", status.txBytes, { tunnel });
  add("ipipoud_tunnel_transmit_packets_total", status.txPackets, { tunnel });
  for (const state of peerStates) {
    add("ipipoud_tunnel_peers", status.states[state], { tunnel, state });
  }
}

function addPeer(add: Add, tunnel: string, status: PeerStatus): void {
  const labels = { tunnel, peer: status.name };
  const up = status.state === "authenticated" || status.state === "static";
  add("ipipoud_peer_up", up ? 1 : 0, labels);
  const { lastAuthentication, expires } = status;
  add("ipipoud_peer_last_authentication_timestamp_seconds", instant(lastAuthentication), labels);
  add("ipipoud_peer_expiry_timestamp_seconds", instant(expires), labels);
  add("ipipoud_peer_receive_bytes_total", status.rxBytes, labels);
  add("ipipoud_peer_transmit_bytes_total", status.txBytes, labels);
}

function instant(text: string | null): number | undefined {
  return text === null ? undefined : seconds(Date.parse(text));
}

function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}
