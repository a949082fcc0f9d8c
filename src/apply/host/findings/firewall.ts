/** The host's firewall, as far as its rules can be read. Pure. */
import type { TunnelConfig } from "../../../config/model.ts";
import { peerKey } from "../../../plan/ids.ts";
import { type Finding, listed, note, warning } from "../../finding.ts";
import { type Arriving, fateIn } from "../../nftables/firewall.ts";
import type { FirewallTable } from "../../nftables/foreign.ts";
import type { Judged } from "../judged.ts";
import { CONNTRACK_COUNT, CONNTRACK_MAX, deviceOf } from "../sysctls.ts";

export function firewallFindings(judged: Judged): Finding[] {
  const { configuration, facts } = judged;
  const read = configuration.tunnels.flatMap((tunnel) =>
    (facts.firewall ?? []).flatMap((table) => tableFindings(tunnel, table, judged)),
  );
  return [...read, ...legacyFindings(judged)];
}

/** Its rules have no form that a program other than itself could rely on. */
function legacyFindings({ facts, situation }: Judged): Finding[] {
  const ports = [...situation.underlays.values()].map(({ port }) => port).filter(Boolean);
  if (facts.legacyTables.length === 0 || ports.length === 0) return [];
  const tables = listed(facts.legacyTables);
  const what = `iptables-legacy is in use here (${tables}), and its rules are not looked into: they may drop what comes for UDP port ${listed(ports.map(String))}`;
  return [note("legacy-firewall", what, "look with `iptables-legacy-save`")];
}

function tableFindings(tunnel: TunnelConfig, table: FirewallTable, judged: Judged): Finding[] {
  const lost = packetsFor(tunnel, judged).find((packet) => fateIn(table, packet) === "dropped");
  if (lost === undefined) return [];
  const where = `table ${table.family} ${table.name}`;
  const whom = lost.from === undefined ? "" : ` from ${lost.from.address}`;
  const tracked: Arriving = { ...lost, state: isDialled(tunnel) ? "established" : "new" };
  if (lost.state === "untracked" && fateIn(table, tracked) === "accepted") {
    const what = `tunnel ${tunnel.name}: the firewall (${where}) accepts UDP port ${lost.port}${whom} by its \`ct state\` alone, and our packets are not tracked: they are dropped`;
    const mend = `accept \`udp dport ${lost.port}\` whatever its state, or set \`conntrack: track\``;
    return [warning("firewall-untracked", what, mend)];
  }
  const what = `tunnel ${tunnel.name}: the firewall (${where}) drops what comes for UDP port ${lost.port}${whom}`;
  const rule = `udp dport ${lost.port} accept`;
  return [warning("firewall", what, `add \`${rule}\` to its chain at input`)];
}

function isDialled({ peers }: TunnelConfig): boolean {
  return peers.every(({ role }) => role === "dial");
}

/** One from each peer that we know the address of, and one from somebody where peers come from anywhere. */
function packetsFor(tunnel: TunnelConfig, judged: Judged): Arriving[] {
  const { observation, situation, desired, facts } = judged;
  const underlay = situation.underlays.get(tunnel.name);
  const gate = desired.gate.tunnels.find(({ name }) => name === tunnel.interface);
  if (underlay === undefined || gate === undefined || tunnel.encapsulation !== "fou") return [];
  const track = isDialled(tunnel) ? ("established" as const) : ("new" as const);
  const packet: Arriving = {
    device: deviceOf(underlay, observation),
    index: underlay.index,
    local: underlay.local,
    port: underlay.port,
    from: undefined,
    state: gate.conntrack === "track" ? track : "untracked",
  };
  const known = tunnel.peers.flatMap(({ name, endpoint }): Arriving[] => {
    const way = facts.ways.get(peerKey(tunnel.name, name));
    if (way === undefined || endpoint === undefined) return [];
    return [{ ...packet, from: { address: way.address, port: endpoint.port } }];
  });
  const anybody = tunnel.peers.some(
    ({ role, endpoint }) => role !== "dial" && endpoint === undefined,
  );
  return anybody ? [packet, ...known] : known;
}

/** A table that is full drops what it can't track. */
export function conntrackFindings({ desired, facts }: Judged): Finding[] {
  if (!desired.gate.tunnels.some(({ conntrack }) => conntrack === "track")) return [];
  const most = Number(facts.sysctls.get(CONNTRACK_MAX) ?? 0);
  const count = Number(facts.sysctls.get(CONNTRACK_COUNT) ?? 0);
  if (most === 0 || count < most * 0.9) return [];
  const what = `connection tracking holds ${count} of at most ${most} connections: when it is full it drops ours too`;
  return [
    warning(
      "conntrack-full",
      what,
      "raise net.netfilter.nf_conntrack_max, or set `conntrack: bypass`",
    ),
  ];
}
