/**
 * Every metric there is, by Prometheus' conventions for names: base units, `_total` on counters, `_info` for
 * texts. Dashboard and alerts in conf/prometheus/ are held against this table. Names are public: new ones may
 * come, none changes.
 */

export interface Metric {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
}

const gauge = <const L extends readonly string[]>(help: string, ...labels: L) =>
  ({ type: "gauge", help, labels }) as const;
const counter = <const L extends readonly string[]>(help: string, ...labels: L) =>
  ({ type: "counter", help, labels }) as const;

export const catalogue = {
  ipipoud_build_info: gauge("Constant 1; which ipipoud runs on which Node.js.", "version", "node"),
  ipipoud_config_last_reload_successful: gauge(
    "Whether the last reload of the configuration succeeded (1 also before the first one).",
  ),
  ipipoud_config_last_reload_timestamp_seconds: gauge(
    "When the configuration was last asked to be reloaded; absent before the first time.",
  ),

  ipipoud_tunnel_info: gauge("Constant 1; the interface of a tunnel.", "tunnel", "interface"),
  ipipoud_tunnel_up: gauge(
    "Whether the interface is up and has an outer address to send from.",
    "tunnel",
  ),
  ipipoud_tunnel_mtu_bytes: gauge("MTU of the interface.", "tunnel"),
  ipipoud_tunnel_receive_bytes_total: counter("Bytes that came out of the tunnel.", "tunnel"),
  ipipoud_tunnel_receive_packets_total: counter("Packets that came out of the tunnel.", "tunnel"),
  ipipoud_tunnel_transmit_bytes_total: counter("Bytes that went into the tunnel.", "tunnel"),
  ipipoud_tunnel_transmit_packets_total: counter("Packets that went into the tunnel.", "tunnel"),
  ipipoud_tunnel_peers: gauge("Peers of the tunnel that are in this state.", "tunnel", "state"),

  ipipoud_peer_up: gauge(
    "Whether traffic of this peer passes: authenticated, or static.",
    "tunnel",
    "peer",
  ),
  ipipoud_peer_last_authentication_timestamp_seconds: gauge(
    "When the peer last proved itself, or we to a peer that we dial; absent before the first time.",
    "tunnel",
    "peer",
  ),
  ipipoud_peer_expiry_timestamp_seconds: gauge(
    "When the peer's proof ends; absent where it does not.",
    "tunnel",
    "peer",
  ),
  ipipoud_peer_receive_bytes_total: counter(
    "Bytes from this peer; absent where they are not counted.",
    "tunnel",
    "peer",
  ),
  ipipoud_peer_transmit_bytes_total: counter(
    "Bytes to this peer; absent where they are not counted.",
    "tunnel",
    "peer",
  ),
  ipipoud_peers_without_series: gauge(
    "Peers that have no series of their own (ipipoud_peer_…) because there are too many.",
  ),

  ipipoud_queue_received_packets_total: counter(
    "Packets of unknown senders to our ports that the kernel handed over.",
  ),
  ipipoud_queue_packets_total: counter(
    "What became of them: a proof taken, a proof refused, or dropped for being none.",
    "verdict",
  ),
  ipipoud_events_total: counter("Events, as `ipipoud events` shows them.", "event"),

  process_cpu_seconds_total: counter("User and system CPU time of the daemon."),
  process_resident_memory_bytes: gauge("Resident memory of the daemon."),
  process_start_time_seconds: gauge("When the daemon was started, since 1970."),
  process_open_fds: gauge("Open file descriptors of the daemon."),
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof catalogue;

/** The names of one metric's labels. */
export type LabelsOf<N extends MetricName> = (typeof catalogue)[N]["labels"][number];
