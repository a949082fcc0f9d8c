/** Inner networks against what the host has already. Pure. */
import type { PeerConfig } from "../../../config/model.ts";
import {
  contains,
  familyOf,
  formatPrefix,
  isHost,
  networkOf,
  overlaps,
  type Prefix,
} from "../../../net/address.ts";
import { exitCode } from "../../../net/failure.ts";
import type { Route } from "../../../net/objects.ts";
import type { Desired } from "../../../plan/desired.ts";
import { isOurProtocol } from "../../../plan/ownership.ts";
import { IP_FORWARD } from "../../../plan/sysctls.ts";
import { type Finding, hindrance, listed, warning } from "../../finding.ts";
import type { Judged } from "../judged.ts";

/** A route of somebody else where ours would go: the kernel takes no second of one destination and metric. */
export function routeFindings({ desired, observation }: Judged): Finding[] {
  const others = new Map<string, Route>();
  for (const route of observation.routes) {
    if (!isOurProtocol(route.protocol)) others.set(placeOf(route), route);
  }
  const taken = desired.resources.flatMap((resource) => {
    const other = resource.object === "route" ? others.get(placeOf(resource.spec)) : undefined;
    if (other === undefined) return [];
    const by = other.gateway ?? other.device;
    return [`${formatPrefix(other.destination)}${by === undefined ? "" : ` (by ${by})`}`];
  });
  if (taken.length === 0) return [];
  const what = `there are routes that ipipoud did not make where its own would go: ${listed(taken)}`;
  const mend = "remove them, or take these networks out of allowedIPs";
  return [hindrance(exitCode.conflict, "foreign-route", what, mend)];
}

function placeOf({ table, destination, metric }: Route): string {
  return `${table} ${formatPrefix(destination)} ${metric}`;
}

/** Inner networks that are, or lie in, a network of another interface. */
export function overlapFindings({ configuration, observation, desired }: Judged): Finding[] {
  // Whom a proxy answers for is in a network outside, and meant to be.
  const proxied = desired.resources.flatMap(({ object, spec }) =>
    object === "neighbour" ? [spec.address] : [],
  );
  const ours = new Set(configuration.tunnels.map((tunnel) => tunnel.interface));
  const others = observation.addresses.filter(
    ({ device, local, prefixLength }) =>
      !ours.has(device) &&
      familyOf(local) === "ipv4" &&
      prefixLength < 32 &&
      !local.startsWith("127."),
  );
  return configuration.tunnels.flatMap(({ name, addresses, peers }): Finding[] => {
    const findings: Finding[] = [];
    const twice = addresses.flatMap(({ local }) => {
      const other = observation.addresses.find(
        (one) => !ours.has(one.device) && one.local === local,
      );
      return other === undefined ? [] : [`${local} (on ${other.device})`];
    });
    if (twice.length > 0) {
      const what = `tunnel ${name}: its inner address is another interface's too: ${listed(twice)}`;
      findings.push(warning("address-elsewhere", what, "give the tunnel an address of its own"));
    }
    const inner: Prefix[] = [
      ...addresses.map(({ local, length, peer }) => networkOf({ address: peer ?? local, length })),
      ...peers.flatMap(({ allowedIPs }) => allowedIPs ?? []),
    ];
    const within = new Set<string>();
    for (const prefix of inner) {
      if (prefix.length === 0 || twice.length > 0) continue;
      if (proxied.some((address) => contains(prefix, address))) continue;
      const other = others.find(({ local, prefixLength }) =>
        lies(prefix, networkOf({ address: local, length: prefixLength })),
      );
      if (other !== undefined) within.add(`${formatPrefix(prefix)} (on ${other.device})`);
    }
    if (within.size > 0) {
      const what = `tunnel ${name}: inner networks are also in a network of another interface: ${listed([...within])}`;
      findings.push(
        warning("network-overlap", what, "give one of the two networks other addresses"),
      );
    }
    return findings;
  });
}

function lies(inner: Prefix, outer: Prefix): boolean {
  return inner.length >= outer.length && overlaps(inner, outer) && contains(outer, inner.address);
}

/** Peers with networks behind them, of several: what is for one from another has to be forwarded. */
export function forwardingFindings({ configuration, desired, facts }: Judged): Finding[] {
  if (facts.sysctls.get(IP_FORWARD) !== "0" || forwards(desired)) return [];
  return configuration.tunnels.flatMap(({ name, peers }): Finding[] => {
    const behind = peers.filter(hasNetwork);
    if (peers.length < 2 || behind.length === 0) return [];
    const who = listed(behind.map((peer) => peer.name));
    const what = `tunnel ${name}: this host forwards nothing (net.ipv4.ip_forward is 0), so the networks behind ${who} can't be reached through it`;
    return [
      warning("no-forwarding", what, "`sysctl net.ipv4.ip_forward=1` (and in /etc/sysctl.d)"),
    ];
  });
}

/** A start turns it on. */
function forwards({ sysctls }: Desired): boolean {
  return sysctls.some(({ name, value }) => name === IP_FORWARD && value === "1");
}

function hasNetwork({ role, allowedIPs }: PeerConfig): boolean {
  return (
    role !== "dial" && (allowedIPs ?? []).some((prefix) => !isHost(prefix) && prefix.length > 0)
  );
}
