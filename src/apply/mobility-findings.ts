/** What stands in the way of routes, rules and proxies, or will surprise. Pure. */
import type { Configuration, RuleConfig, TunnelConfig } from "../config/model.ts";
import { contains, formatPrefix, type IpAddress } from "../net/address.ts";
import { exitCode } from "../net/failure.ts";
import { MAIN_TABLE } from "../net/objects.ts";
import { marksOf } from "../plan/full-tunnel.ts";
import { peerKey } from "../plan/ids.ts";
import { outsideDevices } from "../plan/mobility.ts";
import type { Situation } from "../plan/situation.ts";
import { IP_FORWARD } from "../plan/sysctls.ts";
import { type Finding, hindrance, warning } from "./finding.ts";
import type { Observation } from "./observation.ts";

export function mobilityFindings(
  configuration: Configuration,
  observation: Observation,
  situation: Situation,
): Finding[] {
  const { tunnels } = configuration;
  const marks = marksOf(tunnels);
  return tunnels.flatMap((tunnel) => [
    ...deviceFindings(tunnel, observation),
    ...proxyFindings(tunnels, tunnel, observation),
    ...loopFindings(tunnel, situation, marks.get(tunnel.name) ?? 0),
  ]);
}

function deviceFindings(tunnel: TunnelConfig, { links }: Observation): Finding[] {
  return [...outsideDevices(tunnel)].flatMap((device) => {
    const link = links.find(({ name }) => name === device);
    if (link?.up === true) return [];
    const state = link === undefined ? "is not here" : "is down";
    const message = `tunnel ${tunnel.name}: the interface ${device} ${state}, so what stands on it in routes and proxyArp waits`;
    return [warning("no-device", message, "it comes by itself when the interface is there and up")];
  });
}

/** The kernel takes only addresses of this host: fib_valid_prefsrc(), net/ipv4/fib_semantics.c. */
export function sourceFindings(
  { tunnels }: Configuration,
  { addresses }: Pick<Observation, "addresses">,
): Finding[] {
  // Those that the host has, and will have.
  const ours = new Set<IpAddress>([
    ...addresses.map(({ local }) => local),
    ...tunnels.flatMap((one) => one.addresses.map(({ local }) => local)),
  ]);
  return tunnels.flatMap(({ name, routes }) =>
    routes.flatMap(({ to, source }) => {
      if (source === undefined || ours.has(source)) return [];
      return [
        hindrance(
          exitCode.conflict,
          "no-source",
          `tunnel ${name}: the route to ${formatPrefix(to)} has the source ${source}, which no interface has`,
          "add it to `addresses`, or correct it",
        ),
      ];
    }),
  );
}

function proxyFindings(
  tunnels: readonly TunnelConfig[],
  { name, proxyArp }: TunnelConfig,
  { sysctls }: Observation,
): Finding[] {
  if (proxyArp.length === 0) return [];
  const leads = tunnels.flatMap(({ peers, routes }) => [
    ...peers.flatMap(({ allowedIPs }) => allowedIPs ?? []),
    ...routes.filter(({ device }) => device === undefined).map(({ to }) => to),
  ]);
  const findings = proxyArp.flatMap(({ address, device }) => {
    if (leads.some((prefix) => contains(prefix, address))) return [];
    const message = `tunnel ${name}: nothing leads to ${address} through a tunnel, so nobody on ${device} is answered`;
    return [warning("no-way", message, "add it to the allowedIPs of its peer")];
  });
  // net/ipv4/arp.c, arp_process(): only a host that forwards answers for others.
  const forwards = tunnels.some(({ forwarding }) => forwarding) || sysctls.get(IP_FORWARD) !== "0";
  if (forwards) return findings;
  const message = `tunnel ${name}: IP forwarding is off, so nobody is answered for ${proxyArp[0]?.address}`;
  return [...findings, warning("no-forwarding", message, "add `forwarding: true`")];
}

/**
 * Outer packets that a route or a rule sends into their own tunnel.
 *
 * @param mark Of the outer packets.
 */
function loopFindings(
  tunnel: TunnelConfig,
  { underlays, endpoints }: Situation,
  mark: number,
): Finding[] {
  const { name, peers, rules, routes } = tunnel;
  const local = underlays.get(name)?.local;
  return peers.flatMap((peer) => {
    const remote = endpoints.get(peerKey(name, peer.name))?.endpoint.address;
    if (remote === undefined) return [];
    const into = routes.filter(({ device, to }) => device === undefined && contains(to, remote));
    const asks = (rule: RuleConfig): boolean =>
      (rule.from === undefined || (local !== undefined && contains(rule.from, local))) &&
      (rule.to === undefined || contains(rule.to, remote)) &&
      (rule.fwmark === undefined || (mark & rule.fwmark.mask) >>> 0 === rule.fwmark.value);
    const loop = into.find(
      (route) =>
        !routes.some(
          (other) =>
            other.device !== undefined &&
            other.table === route.table &&
            contains(other.to, remote) &&
            other.to.length >= route.to.length,
        ) &&
        (route.table === MAIN_TABLE ||
          rules.some((rule) => rule.table === route.table && asks(rule))),
    );
    if (loop === undefined) return [];
    const message = `tunnel ${name}: the route to ${formatPrefix(loop.to)} takes the tunnel's own packets to ${remote} (${peer.name}) along: they loop`;
    const mend = `add a route to ${remote}/32 with \`device\` and \`via\` outside, or a table of its own with rules for what shall go through`;
    return [warning("outer-loop", message, mend)];
  });
}
