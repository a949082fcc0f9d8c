/**
 * How we know after a crash what is ours: the interface's alias, the protocol number of routes, nexthops,
 * rules and addresses, the table's user data, and FOU listeners on ports that our table speaks of.
 */
import { hash } from "./ids.ts";

/**
 * RTA_PROTOCOL, NHA's nh_protocol, FRA_PROTOCOL, IFA_PROTO. Unused in /etc/iproute2/rt_protos; another
 * table has another one of the next 64, so that two daemons leave each other's objects alone.
 */
export function protocolOf(table: string): number {
  return table === "ipipou" ? FIRST_PROTOCOL : FIRST_PROTOCOL + 1 + (hash(table) % PROTOCOLS);
}

/** Whether a route or rule is some ipipoud's. */
export function isOurProtocol(protocol: number): boolean {
  return protocol >= FIRST_PROTOCOL && protocol <= FIRST_PROTOCOL + PROTOCOLS;
}

const FIRST_PROTOCOL = 105;
const PROTOCOLS = 64;

/** @param peer Id of a direct tunnel's peer: whose endpoint the device points to. */
export function aliasOf(table: string, tunnel: string, peer?: number): string {
  return `ipipoud ${table}/${tunnel}${peer === undefined ? "" : ` #${peer.toString(16)}`}`;
}

/** The tunnel that an alias names, when it is one of this table's; undefined for any other device. */
export function tunnelOfAlias(table: string, alias: string | undefined): string | undefined {
  const start = `ipipoud ${table}/`;
  if (alias?.startsWith(start) !== true) return undefined;
  return alias.slice(start.length).replace(/ #[0-9a-f]+$/, "");
}

/**
 * Metric of the routes that stand behind everything else. Routes without a device carry no sign of their
 * owner but this, so two daemons with different tables get different ones.
 */
export function worstMetric(table: string): number {
  return 0xffff_ffff - (table === "ipipou" ? 0 : 1 + (hash(table) % 255));
}
