/** The way of outer packets to and from our peers. Pure. */
import type { TunnelConfig } from "../../../config/model.ts";
import { contains, type IpAddress, networkOf, type Prefix } from "../../../net/address.ts";
import { exitCode } from "../../../net/failure.ts";
import { isPlain } from "../../../plan/form.ts";
import { isFull } from "../../../plan/full-tunnel.ts";
import { peerKey } from "../../../plan/ids.ts";
import { deviceIn } from "../../../plan/sysctls.ts";
import { defaultRoute } from "../../../plan/underlay.ts";
import { type Finding, hindrance, listed, note, warning } from "../../finding.ts";
import type { Way } from "../facts.ts";
import type { Judged } from "../judged.ts";
import { deviceOf, filtersStrictly, NONLOCAL_BIND } from "../sysctls.ts";

/** Endpoints that have no address, or no way to it. */
export function endpointFindings({ configuration, facts }: Judged): Finding[] {
  return configuration.tunnels.flatMap((tunnel) =>
    tunnel.peers.flatMap((peer): Finding[] => {
      const whom = `peer ${tunnel.name}/${peer.name}`;
      const host = peer.endpoint?.host;
      const why = host === undefined ? undefined : facts.unresolved.get(host);
      if (why !== undefined) {
        const what = `${whom}: the name ${host} has no IPv4 address now (${why})`;
        const mend = "correct `endpoint` or the host's DNS; it is asked again until there is one";
        return [warning("unresolvable", what, mend)];
      }
      const way = facts.ways.get(peerKey(tunnel.name, peer.name));
      if (way === undefined || isWay(way) || tunnel.listen.device !== undefined) return [];
      const what = `${whom}: no route leads to ${way.address}`;
      return [warning("no-route", what, "add a route to it, or a default route")];
    }),
  );
}

function isWay({ type, device }: Way): boolean {
  return device !== undefined && (type === "unicast" || type === "local");
}

/** Who waits at an address of its own for peers from anywhere needs a way to anywhere. */
export function defaultRouteFindings({ configuration, observation, situation }: Judged): Finding[] {
  if (defaultRoute(observation) !== undefined) return [];
  const waiting = configuration.tunnels.filter(({ name, listen, peers }) => {
    const waits = peers.some(({ role, endpoint }) => role === "wait" && endpoint === undefined);
    // Without an address there is a finding already.
    return waits && listen.address !== undefined && situation.underlays.get(name) !== undefined;
  });
  if (waiting.length === 0) return [];
  const what = `this host has no default route: ${listed(waiting.map(({ name }) => name))} can answer only peers in its own networks`;
  return [
    note("no-default-route", what, "add one (`ip route add default via …`) if others shall come"),
  ];
}

/** A listener is made at its address, or not at all; unless addresses of others may be bound to. */
export function listenFindings({ configuration, observation, facts }: Judged): Finding[] {
  return configuration.tunnels.flatMap((tunnel): Finding[] => {
    const { address } = tunnel.listen;
    if (address === undefined || observation.addresses.some(({ local }) => local === address)) {
      return [];
    }
    const what = `tunnel ${tunnel.name}: no interface has the address ${address}`;
    const mend = "correct `listen`, or add the address first";
    const binds = isPlain(tunnel) || facts.sysctls.get(NONLOCAL_BIND) === "1";
    return binds
      ? [warning("no-address", what, mend)]
      : [hindrance(exitCode.runtime, "no-address", what, mend)];
  });
}

/** A device that is down, or without a cable. */
export function underlayFindings({ configuration, observation, situation }: Judged): Finding[] {
  return configuration.tunnels.flatMap(({ name }): Finding[] => {
    const index = situation.underlays.get(name)?.index;
    const link = observation.links.find((one) => one.index === index);
    if (link === undefined || (link.up && link.carrier)) return [];
    const what = `tunnel ${name}: its way out, ${link.name}, ${link.up ? "has no carrier" : "is down"}`;
    const mend = link.up
      ? "look after the cable or the access point"
      : `\`ip link set ${link.name} up\``;
    return [warning("underlay-down", what, mend)];
  });
}

/** Strict reverse path filtering where packets come another way than answers would go. */
export function filterFindings(judged: Judged): Finding[] {
  return judged.configuration.tunnels.flatMap((tunnel) => [
    ...outerFilter(tunnel, judged),
    ...innerFilter(tunnel, judged),
  ]);
}

function outerFilter(tunnel: TunnelConfig, judged: Judged): Finding[] {
  const { observation, situation, facts } = judged;
  const underlay = situation.underlays.get(tunnel.name);
  const device = underlay && deviceOf(underlay, observation);
  if (device === undefined || !filtersStrictly(facts.sysctls, device)) return [];
  const full = fullBeside(tunnel, judged);
  const away = tunnel.peers.flatMap((peer) => {
    const way = facts.ways.get(peerKey(tunnel.name, peer.name));
    if (way === undefined || !isWay(way)) return [];
    const by = full?.takes(way.address) ? full.device : way.device;
    return by === device ? [] : [`${way.address} (by ${by})`];
  });
  const waits = tunnel.peers.some(
    ({ role, endpoint }) => role === "wait" && endpoint === undefined,
  );
  const by = full?.device ?? defaultRoute(observation)?.device;
  if (waits && by !== undefined && by !== device) away.push(`peers from anywhere (by ${by})`);
  if (away.length === 0) return [];
  const what = `tunnel ${tunnel.name}: rp_filter is strict on ${device}, and answers to ${listed(away)} would leave elsewhere: what they send is dropped`;
  return [warning("rp-filter", what, looser(device))];
}

/**
 * Another tunnel that everything goes into: what this one's peers send carries no mark, and so the filter looks for
 * the way back there. Only for the full tunnel's own peer there is a rule (plan/full-tunnel.ts), and the host's own
 * networks are reached past it.
 */
function fullBeside(tunnel: TunnelConfig, { configuration, facts, observation }: Judged) {
  const full = configuration.tunnels.find(({ peers }) => peers.some(isFull));
  if (full === undefined || full === tunnel) return undefined;
  const ruled = full.peers
    .filter(isFull)
    .map(({ name }) => facts.ways.get(peerKey(full.name, name))?.address);
  const networks = observation.addresses.map(
    ({ local, prefixLength }): Prefix => ({ address: local, length: prefixLength }),
  );
  const takes = (address: IpAddress): boolean =>
    !ruled.includes(address) && !networks.some((network) => contains(networkOf(network), address));
  return { device: full.interface, takes };
}

/** What comes out of the tunnel: addresses that no route leads back to by it. */
function innerFilter(tunnel: TunnelConfig, { facts, desired }: Judged): Finding[] {
  // A start makes it loose.
  if (desired.sysctls.some(({ name }) => deviceIn(name) === tunnel.interface)) return [];
  const open = tunnel.peers.some(({ allowedIPs }) => allowedIPs === undefined);
  if (!open || !filtersStrictly(facts.sysctls, tunnel.interface)) return [];
  const what = `tunnel ${tunnel.name}: rp_filter is strict on ${tunnel.interface}, and without allowedIPs no routes are made: only inner addresses that you route there get in`;
  return [warning("rp-filter-inner", what, `add allowedIPs, or ${looser(tunnel.interface)}`)];
}

function looser(device: string): string {
  return `set net.ipv4.conf.${device}.rp_filter to 2 (loose)`;
}

/** IPv4 and UDP around each inner packet. */
const OVERHEAD = { fou: 28, none: 20 } as const;

export function mtuFindings({ configuration, situation, observation }: Judged): Finding[] {
  return configuration.tunnels.flatMap(({ name, mtu, encapsulation }): Finding[] => {
    const underlay = situation.underlays.get(name);
    if (mtu === undefined || underlay === undefined) return [];
    const most = underlay.mtu - OVERHEAD[encapsulation];
    if (mtu <= most) return [];
    const device = deviceOf(underlay, observation) ?? "the way out";
    const what = `tunnel ${name}: packets of mtu ${mtu} and ${OVERHEAD[encapsulation]} bytes of headers don't fit ${device}'s ${underlay.mtu}: they are sent in fragments, or lost`;
    return [warning("mtu", what, `set \`mtu\` to ${most} at most, or leave it out`)];
  });
}
