/** All that a daemon could leave behind in a namespace, as one text to compare before and after. */
import type { Host } from "./host.ts";

const parts: Readonly<Record<string, string>> = {
  links: "ip -d -j link show",
  addresses: "ip -d -j addr show",
  routes: "ip -d -j route show table all",
  routes6: "ip -d -j -6 route show table all",
  rules: "ip -d -j rule show",
  nexthops: "ip -d -j nexthop show",
  neighbours: "ip -d -j neigh show proxy",
  listeners: "ip fou show",
  ruleset: "nft -j list ruleset",
  forwarding: "cat /proc/sys/net/ipv4/ip_forward",
};

/** Keys whose values change by themselves. */
const volatile = new Set([
  ...["stats", "stats64", "metainfo", "handle", "age", "expires", "used", "cache"],
  ...["packets", "bytes", "promiscuity"],
  ...["hello_timer", "tcn_timer", "topology_change_timer", "gc_timer"],
]);

/** Pretty-printed JSON, one key for each kind of object; equal texts mean equal state. */
export async function snapshot(host: Host): Promise<string> {
  const script = Object.values(parts).map((command) => `${command}\nprintf '\\036'`);
  const texts = (await host.sh(script.join("\n"))).split("\u001e");
  const state: Record<string, unknown> = {};
  Object.keys(parts).forEach((name, index) => {
    state[name] = parse((texts[index] ?? "").trim());
  });
  return JSON.stringify(state, (key, value: unknown) => (volatile.has(key) ? undefined : value), 2);
}

/** A snapshot without what comes and goes by itself: sources whose rate is remembered. */
export function lasting(snapshot: string): string {
  const withoutSources = (_: string, value: unknown): unknown => {
    if (typeof value !== "object" || value === null || !("elem" in value)) return value;
    const { elem, ...rest } = value as { elem: unknown; name?: string };
    return /^(?:sources|seen|places|limited)$/.test(rest.name ?? "") ? rest : { ...rest, elem };
  };
  return JSON.stringify(JSON.parse(snapshot), withoutSources, 2);
}

/**
 * A lasting snapshot in which an object made anew is the old one: it has another index, by which lists are
 * sorted, and stands at their end. The order of rules in a chain is theirs.
 */
export function renewable(snapshot: string): string {
  const text = lasting(snapshot).replaceAll(/"ifindex": \d+,?/g, "");
  const lists = Object.entries(JSON.parse(text) as Record<string, unknown[]>);
  const sorted = lists.map(([name, list]) => [
    name,
    name === "ruleset" ? list : list.map((one) => JSON.stringify(one)).sort(),
  ]);
  return JSON.stringify(Object.fromEntries(sorted), null, 2);
}

function parse(text: string): unknown {
  if (!/^[[{]/.test(text)) return text.split("\n").sort();
  return JSON.parse(text) as unknown;
}
