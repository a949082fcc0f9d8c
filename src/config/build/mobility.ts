/** What goes through a tunnel beside its allowedIPs, and what the host does for that. */
import { contains, formatPrefix, isHost, overlaps, type Prefix } from "../../net/address.ts";
import { MAIN_TABLE } from "../../net/objects.ts";
import { Complaint } from "../complaint.ts";
import type {
  MarkConfig,
  PeerConfig,
  ProxyArpConfig,
  RouteConfig,
  RuleConfig,
  TunnelConfig,
} from "../model.ts";
import { formatName, type Problems } from "../problems.ts";
import type { TunnelPart } from "../schema/tunnel.ts";
import type { Path } from "../source/document.ts";

export interface MobilityContext {
  readonly path: Path;
  readonly interfaceName: string;
  readonly peers: readonly PeerConfig[];
  /** Several may be behind its interface, these or those of a directory. */
  readonly hub: boolean;
  readonly problems: Problems;
}

type Mobility = Pick<
  TunnelConfig,
  "routes" | "rules" | "marks" | "proxyArp" | "forwarding" | "clampMss"
>;

/** Before the main table's own rule, and before those of `0.0.0.0/0` in allowedIPs (32763 to 32765). */
const DEFAULT_PRIORITY = 30_000;

/** IPPROTO_*: those whose header begins with two ports. */
const WITH_PORTS = [6, 17, 132];

export function mobilityOf(part: TunnelPart, context: MobilityContext): Mobility {
  const at = (key: string, i: number): Path => [...context.path, key, i];
  return {
    routes: freeze(part.routes, (one, i) => routeOf(one, at("routes", i), context)),
    rules: freeze(part.rules, (one, i) => ruleOf(one, at("rules", i), context)),
    marks: freeze(part.marks, (one, i) => markOf(one, at("marks", i), context)),
    proxyArp: freeze(part.proxyArp, (one, i) => proxyOf(one, at("proxyArp", i), context)),
    forwarding: part.forwarding ?? false,
    clampMss: part.clampMss ?? false,
  };
}

function freeze<P, T>(parts: readonly P[] = [], make: (part: P, i: number) => T): readonly T[] {
  return Object.freeze(parts.map((part, i) => Object.freeze(make(part, i))));
}

type Part<Key extends "routes" | "rules" | "marks" | "proxyArp"> = NonNullable<
  TunnelPart[Key]
>[number];

function routeOf(part: Part<"routes">, path: Path, context: MobilityContext): RouteConfig {
  const { peers, hub, problems, interfaceName } = context;
  const device = part.device === interfaceName ? undefined : part.device;
  const route: RouteConfig = {
    to: part.to,
    via: part.via,
    device,
    table: part.table ?? MAIN_TABLE,
    metric: part.metric ?? 0,
    source: part.source,
    peer: device === undefined && hub ? leadsTo(peers, part)?.name : undefined,
  };
  if (device !== undefined) return route;
  const accepted = peers.flatMap(({ allowedIPs }) => allowedIPs ?? []);
  const any = peers.some(({ allowedIPs }) => allowedIPs === undefined);
  if (!any && accepted.length > 0 && !accepted.some((prefix) => overlaps(prefix, part.to))) {
    const what = "outside the allowedIPs: what answers from there is dropped";
    const mend = "add it to allowedIPs, or leave them out in a tunnel with one peer";
    problems.add([...path, "to"], new Complaint(what, mend));
  } else if (hub && route.peer === undefined) {
    const what = "several peers, and nothing says to which of them";
    const mend = "add `via`, an inner address from the allowedIPs of one";
    problems.add(path, new Complaint(what, mend));
  }
  return route;
}

/** Which of a hub's peers a route through it leads to: whose allowedIPs hold its next hop, or all of it. */
function leadsTo(
  peers: readonly PeerConfig[],
  { to, via }: Part<"routes">,
): PeerConfig | undefined {
  const whole = (prefix: Prefix): boolean =>
    via === undefined
      ? prefix.length <= to.length && contains(prefix, to.address)
      : contains(prefix, via);
  let best: { readonly peer: PeerConfig; readonly length: number } | undefined;
  for (const peer of peers) {
    for (const prefix of peer.allowedIPs ?? []) {
      if (!whole(prefix) || prefix.length <= (best?.length ?? -1)) continue;
      best = { peer, length: prefix.length };
    }
  }
  return best?.peer;
}

function ruleOf(part: Part<"rules">, path: Path, { problems }: MobilityContext): RuleConfig {
  const { from, to, fwmark, table, priority = DEFAULT_PRIORITY } = part;
  const all = [from, to].every((prefix) => prefix === undefined || prefix.length === 0);
  if (all && fwmark === undefined) {
    const what = "a rule for every packet, the tunnel's own among them";
    const mend = "add from, to or fwmark; for everything write 0.0.0.0/0 in allowedIPs";
    problems.add(path, new Complaint(what, mend));
  }
  return { from, to, fwmark, table, priority };
}

function markOf(part: Part<"marks">, path: Path, context: MobilityContext): MarkConfig {
  const { problems, interfaceName } = context;
  const { protocol, source, destination, sourcePort, destinationPort, inputDevice, mark } = part;
  const selectors = [protocol, source, destination, sourcePort, destinationPort, inputDevice];
  if (selectors.every((one) => one === undefined)) {
    const what = "a mark for every packet";
    const mend = "add protocol, source, destination, a port or inputDevice";
    problems.add(path, new Complaint(what, mend));
  }
  const hasPorts = protocol !== undefined && WITH_PORTS.includes(protocol);
  for (const key of ["sourcePort", "destinationPort"] as const) {
    if (part[key] === undefined || hasPorts) continue;
    const what = "a port, and no protocol that has some";
    problems.add([...path, key], new Complaint(what, "add `protocol: tcp`, udp or sctp"), {
      at: "key",
    });
  }
  if (inputDevice === interfaceName) {
    const what = "the tunnel's own interface: what comes out of it would go back in";
    problems.add(
      [...path, "inputDevice"],
      new Complaint(what, "name the device on the other side"),
    );
  }
  return { protocol, source, destination, sourcePort, destinationPort, inputDevice, mark };
}

function proxyOf(
  { address, device }: Part<"proxyArp">,
  path: Path,
  { problems, interfaceName }: MobilityContext,
): ProxyArpConfig {
  if (device === interfaceName) {
    const what = "the tunnel's own interface, where nobody asks";
    problems.add([...path, "device"], new Complaint(what, "name the device of the LAN"));
  }
  return { address, device };
}

/** Routing tables, rules and answers are one host's: no two tunnels may want the same. */
export function checkShared(tunnels: readonly TunnelConfig[], problems: Problems): void {
  const owners = new Map<string, string>();
  const claim = (key: string, what: string, { name }: TunnelConfig, path: Path): void => {
    const owner = owners.get(key);
    owners.set(key, name);
    if (owner === undefined) return;
    const where = owner === name ? "is there already" : `is the tunnel ${formatName(owner)}'s`;
    problems.add(path, new Complaint(`${what} ${where}`, "remove one"));
  };
  for (const tunnel of tunnels) {
    const path = ["tunnels", tunnel.name];
    for (const [i, { to, table, metric }] of tunnel.routes.entries()) {
      const key = `route ${table} ${formatPrefix(to)} ${metric}`;
      const what = `a route to ${formatPrefix(to)} of this table and metric`;
      claim(key, what, tunnel, [...path, "routes", i]);
    }
    for (const [i, { from, to, fwmark, table, priority }] of tunnel.rules.entries()) {
      const [source, destination] = [from, to].map((one) => (one ? formatPrefix(one) : ""));
      const key = `rule ${priority} ${table} ${source} ${destination} ${fwmark?.value}/${fwmark?.mask}`;
      claim(key, "this rule", tunnel, [...path, "rules", i]);
    }
    for (const [i, { address, device }] of tunnel.proxyArp.entries()) {
      claim(`proxy ${device} ${address}`, "this address", tunnel, [...path, "proxyArp", i]);
    }
  }
  checkAllowed(tunnels, problems);
}

/** What a tunnel's allowedIPs lead through it, a route in another's `routes` can't. */
function checkAllowed(tunnels: readonly TunnelConfig[], problems: Problems): void {
  const single = tunnels.some(({ routes }) => routes.length > 0);
  if (!single) return;
  for (const tunnel of tunnels) {
    for (const [i, { to, table, metric }] of tunnel.routes.entries()) {
      if (table !== MAIN_TABLE || metric !== 0 || to.length === 0) continue;
      const other = tunnels.find(
        (one) => one !== tunnel && one.peers.some(({ allowedIPs }) => allowedIPs?.some(isSame(to))),
      );
      if (other === undefined) continue;
      const what = `${formatPrefix(to)} goes to the tunnel ${formatName(other.name)} by its allowedIPs`;
      problems.add(
        ["tunnels", tunnel.name, "routes", i],
        new Complaint(what, isHost(to) ? "remove one" : "remove one, or add a metric"),
      );
    }
  }
}

function isSame(a: Prefix): (b: Prefix) => boolean {
  return (b) => a.address === b.address && a.length === b.length;
}
