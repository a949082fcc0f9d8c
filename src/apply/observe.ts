/** Looks at the kernel; changes nothing. */

import { decodeAddress, dumpAddresses } from "../kernel/address.ts";
import { devicesOf } from "../kernel/devices.ts";
import { decodeLink, dumpLinks } from "../kernel/link.ts";
import { decodeProxy, dumpProxies } from "../kernel/neighbour.ts";
import { decodeNexthop, dumpNexthops } from "../kernel/nexthop.ts";
import { decodeRoute, dumpRoutes } from "../kernel/route.ts";
import { decodeRule, dumpRules } from "../kernel/rule.ts";
import type { InterfaceAddress, Link, Nexthop, Route } from "../net/objects.ts";
import { KernelError } from "../netlink/errors.ts";
import { isNexthopId } from "../plan/ids.ts";
import { protocolOf, tunnelOfAlias, worstMetric } from "../plan/ownership.ts";
import type { LinkResource, Resource } from "../plan/resources.ts";
import { listenerOwners, listListeners, ourListeners, unlistedListeners } from "./listeners.ts";
import { decoded } from "./look.ts";
import { rememberedIn } from "./nftables/memory.ts";
import { observeRuleset } from "./nftables/observe.ts";
import type { Observation } from "./observation.ts";
import type { Sockets } from "./sockets.ts";
import { readSysctls } from "./sysctls.ts";

export interface Look {
  /** All routes, not just ours: a full Internet table is a million. */
  readonly whole: boolean;
  /** Kernel parameters. */
  readonly sysctls: readonly string[];
  /** Devices that were ours a moment ago, by index, whatever has become of their sign. */
  readonly known?: ReadonlyMap<number, string>;
}

export async function observe(
  sockets: Sockets,
  table: string,
  { whole, sysctls: wanted, known }: Look,
): Promise<Observation> {
  const { route } = sockets;
  const linkMessages = await route.dump(dumpLinks());
  const devices = devicesOf(linkMessages);
  const links = decoded(linkMessages, (message) => decodeLink(message, devices));
  const [addresses, routes, nexthops, rules, proxies, listed, ruleset] = await Promise.all([
    route.dump(dumpAddresses()).then((all) => decoded(all, (m) => decodeAddress(m, devices))),
    route
      .dump(dumpRoutes("ipv4", whole ? 0 : protocolOf(table)))
      .then((all) => decoded(all, (m) => decodeRoute(m, devices))),
    route.dump(dumpNexthops()).then((all) => decoded(all, (m) => decodeNexthop(m, devices))),
    route.dump(dumpRules()).then((all) => decoded(all, decodeRule)),
    route.dump(dumpProxies()).then((all) => decoded(all, (m) => decodeProxy(m, devices))),
    listListeners(sockets, devices),
    observeGate(sockets, table),
  ]);
  const ours = links.flatMap((link) => ourLink(table, link, known));
  const onOurs = new Map(ours.map((link) => [link.spec.name, link.tunnel]));
  const used = nexthopsOf(routes, protocolOf(table));
  const ourNexthops = nexthops.filter(
    (nexthop) =>
      // Somebody may have put another one in its place, with a sign of their own: routes of ours stay with it.
      used.has(nexthop.id) ||
      (nexthop.protocol === protocolOf(table) && isOurNexthop(nexthop, onOurs)),
  );
  const doors = ruleset.kind === "ours" ? ruleset.doors : [];
  const owners = listenerOwners(ours, routes, doors);
  const listeners = listed && [
    ...listed.listeners,
    ...(await unlistedListeners(sockets, listed, owners, { devices, addresses })),
  ];
  const resources: Resource[] = [
    ...ours,
    ...addresses.flatMap((address) => ourAddress(address, onOurs, protocolOf(table))),
    ...ourNexthops.map((spec): Resource => ({ object: "nexthop", tunnel: null, spec })),
    ...ourRoutes(
      table,
      routes,
      { onOurs, others: otherTunnels(links, onOurs) },
      new Set(ourNexthops.map(({ id }) => id)),
    ),
    ...rules
      .filter(({ protocol }) => protocol === protocolOf(table))
      .map((spec): Resource => ({ object: "rule", tunnel: null, spec })),
    ...proxies
      .filter(({ protocol }) => protocol === protocolOf(table))
      .map((spec): Resource => ({ object: "neighbour", tunnel: null, spec })),
    ...ourListeners(listeners ?? [], owners),
  ];
  const remembered = ruleset.kind === "ours" ? rememberedIn(ruleset.objects) : [];
  const sysctls = await readSysctls([...wanted, ...remembered.map(({ name }) => name)]);
  const found = { devices, links, addresses, routes, listeners, proxies, sysctls };
  return { ...found, resources, ruleset };
}

async function observeGate(sockets: Sockets, table: string): Promise<Observation["ruleset"]> {
  try {
    return await observeRuleset(sockets.netfilter, table);
  } catch (error) {
    if (error instanceof KernelError && error.code === "EPERM") return { kind: "hidden" };
    throw error;
  }
}

function ourLink(table: string, link: Link, known: Look["known"]): LinkResource[] {
  const { name, mtu, up, ipip } = link;
  const tunnel = tunnelOfAlias(table, link.alias) ?? null;
  if (ipip === undefined || (tunnel === null && known?.get(link.index) !== name)) return [];
  return [{ object: "link", tunnel, spec: { name, alias: link.alias ?? "", mtu, ipip, up } }];
}

function ourAddress(
  address: InterfaceAddress,
  onOurs: ReadonlyMap<string, string | null>,
  protocol: number,
): Resource[] {
  const tunnel = onOurs.get(address.device);
  if (tunnel === undefined || address.protocol !== protocol) return [];
  return [{ object: "address", tunnel, spec: address }];
}

/** Those of our numbers that our routes lead through. */
function nexthopsOf(routes: readonly Route[], ours: number): ReadonlySet<number> {
  const used = new Set<number>();
  for (const { protocol, nexthop } of routes) {
    if (protocol === ours && nexthop !== undefined && isNexthopId(nexthop)) used.add(nexthop);
  }
  return used;
}

function isOurNexthop({ to }: Nexthop, onOurs: ReadonlyMap<string, unknown>): boolean {
  return to.kind === "gateway" || to.kind === "device" ? onOurs.has(to.device) : true;
}

interface RouteOwners {
  readonly onOurs: ReadonlyMap<string, string | null>;
  /** Devices of other daemons like us. */
  readonly others: ReadonlySet<string>;
}

function otherTunnels(
  links: readonly Link[],
  onOurs: ReadonlyMap<string, unknown>,
): ReadonlySet<string> {
  const others = links.filter(
    ({ name, alias }) => alias?.startsWith("ipipoud ") === true && !onOurs.has(name),
  );
  return new Set(others.map(({ name }) => name));
}

function ourRoutes(
  table: string,
  routes: readonly Route[],
  { onOurs, others }: RouteOwners,
  nexthops: ReadonlySet<number>,
): Resource[] {
  const worst = worstMetric(table);
  return routes
    .filter(({ protocol }) => protocol === protocolOf(table))
    .flatMap((route): Resource[] => {
      if (route.nexthop !== undefined) {
        return nexthops.has(route.nexthop)
          ? [{ object: "route", tunnel: null, spec: viaNexthop(route) }]
          : [];
      }
      // On a device of somebody else's too, where the configuration says so.
      const onDevice = route.type === "unicast" && !others.has(route.device ?? "");
      const ours = onDevice || route.metric === worst;
      return ours
        ? [{ object: "route", tunnel: onOurs.get(route.device ?? "") ?? null, spec: route }]
        : [];
    });
}

/** The kernel repeats the nexthop object's properties in the route; they are that object's business. */
function viaNexthop(route: Route): Route {
  return { ...route, type: "unicast", device: undefined, gateway: undefined, onlink: false };
}
