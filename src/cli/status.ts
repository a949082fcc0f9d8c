/** `ipipoud status` for people: reads like `wg show`. Pure. */
import { exitCode, Failure } from "../net/failure.ts";
import type { DirectoryStatus, PeerStatus, Status, TunnelStatus } from "../tunnel/status.ts";
import type { Rates } from "./rates.ts";

/** The status of one tunnel (by its own or its interface's name), or of all. Throws a {@link Failure}. */
export function selectTunnel(status: Status, name: string | undefined): Status {
  if (name === undefined) return status;
  const tunnels = status.tunnels.filter((tunnel) => [tunnel.name, tunnel.interface].includes(name));
  if (tunnels.length > 0) return { ...status, tunnels };
  const names = status.tunnels.map((tunnel) => tunnel.name);
  const mend = names.length === 0 ? "it has none" : `it has ${abridge(names)}`;
  throw new Failure(exitCode.usage, `the daemon has no tunnel "${name}"`, mend);
}

/**
 * `now` in milliseconds since 1970. With rates where the status has some. Ends with a line break unless
 * there is nothing to show.
 */
export function renderStatus(status: Status, now: number): string {
  return status.tunnels
    .flatMap((tunnel) => [renderTunnel(tunnel), ...tunnel.peers.map((p) => renderPeer(p, now))])
    .join("\n");
}

function renderTunnel(tunnel: TunnelStatus & Partial<Rates>): string {
  const { listen } = tunnel;
  const port = listen.port === null ? "" : `:${listen.port}`;
  const device = listen.device === null ? "" : `@${listen.device}`;
  return block(`interface: ${tunnel.interface}`, [
    ["tunnel", tunnel.name === tunnel.interface ? undefined : tunnel.name],
    ["state", tunnel.state],
    ["listening", `${listen.address ?? "(no address yet)"}${port}${device}`],
    ["addresses", tunnel.addresses.join(", ")],
    ["mtu", String(tunnel.mtu)],
    ["directory", tunnel.directory && directory(tunnel.directory)],
    ["transfer", transfer(tunnel.rxBytes, tunnel.txBytes)],
    ["rate", rate(tunnel)],
  ]);
}

function directory({ source, nodes, trouble }: DirectoryStatus): string {
  const count = nodes === null ? "nothing yet" : nodes === 1 ? "1 node" : `${nodes} nodes`;
  return `${source}: ${count}${trouble === null ? "" : `; now: ${trouble}`}`;
}

function renderPeer(peer: PeerStatus & Partial<Rates>, now: number): string {
  const { lastAuthentication, expires } = peer;
  const last = lastAuthentication === null ? undefined : Date.parse(lastAuthentication);
  const end = expires === null ? undefined : Date.parse(expires);
  return block(`peer: ${peer.name}`, [
    ["endpoint", peer.endpoint ?? undefined],
    ["state", `${peer.state} (${peer.form}, protocol ${peer.protocol})`],
    ["allowed ips", peer.allowedIPs.length === 0 ? "(any)" : peer.allowedIPs.join(", ")],
    // While nothing has come back, what was sent last has proven nothing yet.
    [
      peer.state === "connecting" ? "latest attempt" : "latest authentication",
      last === undefined ? undefined : ago(now - last),
    ],
    ["expires", end === undefined ? undefined : ahead(end - now)],
    ["transfer", transfer(peer.rxBytes, peer.txBytes)],
    ["rate", rate(peer)],
    ["keepalive", peer.keepalive === null ? undefined : `every ${span(peer.keepalive * 1000)}`],
  ]);
}

function block(title: string, rows: readonly (readonly [string, string | undefined])[]): string {
  const lines = rows
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([key, value]) => `  ${key}: ${value}`);
  return `${[title, ...lines].join("\n")}\n`;
}

function transfer(received: number | null, sent: number | null): string | undefined {
  if (received === null || sent === null) return undefined;
  return `${bytes(received)} received, ${bytes(sent)} sent`;
}

/** `1.50 KiB/s received (12 packets/s), 0 B/s sent (0 packets/s)` */
function rate(of: Partial<Rates>): string | undefined {
  const received = direction(of.rxBytesPerSecond, of.rxPacketsPerSecond, "received");
  const sent = direction(of.txBytesPerSecond, of.txPacketsPerSecond, "sent");
  return received === undefined || sent === undefined ? undefined : `${received}, ${sent}`;
}

function direction(
  ofBytes: number | null | undefined,
  ofPackets: number | null | undefined,
  word: string,
): string | undefined {
  if (ofBytes === null || ofBytes === undefined) return undefined;
  const packets =
    ofPackets === null || ofPackets === undefined ? "" : ` (${Math.round(ofPackets)} packets/s)`;
  return `${bytes(Math.round(ofBytes))}/s ${word}${packets}`;
}

/** `wg show`'s units: 1023 B, 1.00 KiB, … */
function bytes(count: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  if (count < 1024) return `${count} B`;
  let value = count / 1024;
  while (value >= 1024 && units.length > 1) {
    value /= 1024;
    units.shift();
  }
  return `${value.toFixed(2)} ${units[0]}`;
}

function ago(milliseconds: number): string {
  return milliseconds < 1000 ? "now" : `${span(milliseconds)} ago`;
}

function ahead(milliseconds: number): string {
  return milliseconds < 1000 ? "now" : `in ${span(milliseconds)}`;
}

/** `1 day, 2 hours, 3 seconds`; less than a second as such. */
function span(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} milliseconds`;
  let seconds = Math.floor(milliseconds / 1000);
  const parts: string[] = [];
  for (const [unit, length] of units) {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return parts.join(", ");
}

const units = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

function abridge(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  if (names.length > shown.length) shown.push("…");
  return shown.join(", ");
}
