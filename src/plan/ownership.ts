/**
 * How we know after a crash what is ours: the interface's alias, the protocol number of routes, nexthops,
 * rules and addresses, the table's user data, and FOU listeners on ports that our table speaks of.
 */
import { hash } from "./ids.ts";

/** RTA_PROTOCOL, NHA's nh_protocol, FRA_PROTOCOL, IFA_PROTO; unused in /etc/iproute2/rt_protos. */
export const PROTOCOL = 105;

export function aliasOf(table: string, tunnel: string): string {
  return `ipipoud ${table}/${tunnel}`;
}

/** The tunnel that an alias names, when it is one of this table's; undefined for any other device. */
export function tunnelOfAlias(table: string, alias: string | undefined): string | undefined {
  const start = `ipipoud ${table}/`;
  return alias?.startsWith(start) === true ? alias.slice(start.length) : undefined;
}

/**
 * Metric of the routes that stand behind everything else. Routes without a device carry no sign of their
 * owner but this, so two daemons with different tables get different ones.
 */
export function worstMetric(table: string): number {
  return 0xffff_ffff - (table === "ipipou" ? 0 : 1 + (hash(table) % 255));
}
