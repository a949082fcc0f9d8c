/** Resources in the words of `ip`, for steps, logs and errors. */
import { formatPrefix } from "../net/address.ts";
import {
  type FouListener,
  type IpipAttributes,
  LOCAL_TABLE,
  MAIN_TABLE,
  type Nexthop,
  type Route,
  type Rule,
} from "../net/objects.ts";
import { isPlaceholder } from "./ids.ts";
import type { Resource } from "./resources.ts";

export function describe(resource: Resource): string {
  switch (resource.object) {
    case "link": {
      const { name, mtu, ipip, up } = resource.spec;
      return `${name} type ipip ${ipipWords(ipip)} mtu ${mtu}${up ? "" : " (down)"}`;
    }
    case "address": {
      const { device, local, prefixLength, peer } = resource.spec;
      const words =
        peer === undefined ? `${local}/${prefixLength}` : `${local} peer ${peer}/${prefixLength}`;
      return `${words} dev ${device}`;
    }
    case "route":
      return routeWords(resource.spec);
    case "nexthop":
      return nexthopWords(resource.spec);
    case "rule":
      return ruleWords(resource.spec);
    case "neighbour":
      return `proxy ${resource.spec.address} dev ${resource.spec.device}`;
    case "fou":
      return fouWords(resource.spec);
    case "sysctl":
      return `${resource.spec.name.replaceAll("/", ".")} = ${resource.spec.value}`;
  }
}

function ipipWords(ipip: IpipAttributes): string {
  const words = [
    `local ${outer(ipip.local)}`,
    `remote ${ipip.remote === undefined ? "any" : outer(ipip.remote)}`,
  ];
  if (ipip.device !== undefined) words.push(`dev ${ipip.device}`);
  if (ipip.ttl !== 0) words.push(`ttl ${ipip.ttl}`);
  if (ipip.tos !== 0) words.push(`tos ${ipip.tos === 1 ? "inherit" : ipip.tos}`);
  if (!ipip.pathMtuDiscovery) words.push("nopmtudisc");
  if (ipip.fwmark !== 0) words.push(`fwmark ${ipip.fwmark}`);
  if (ipip.fou !== undefined) {
    const { sourcePort, destinationPort, checksum } = ipip.fou;
    words.push(`encap fou sport ${sourcePort} dport ${destinationPort}${checksum ? " csum" : ""}`);
  }
  return words.join(" ");
}

function routeWords(route: Route): string {
  const words = [
    ...(route.type === "unicast" ? [] : [route.type]),
    formatPrefix(route.destination),
  ];
  if (route.nexthop !== undefined) words.push(`nhid ${route.nexthop}`);
  if (route.gateway !== undefined) words.push(`via ${route.gateway}`);
  if (route.device !== undefined) words.push(`dev ${route.device}`);
  if (route.source !== undefined) words.push(`src ${route.source}`);
  if (route.table !== MAIN_TABLE)
    words.push(`table ${route.table === LOCAL_TABLE ? "local" : route.table}`);
  if (route.metric !== 0) words.push(`metric ${route.metric}`);
  return words.join(" ");
}

function nexthopWords({ id, to }: Nexthop): string {
  switch (to.kind) {
    case "blackhole":
      return `id ${id} blackhole`;
    case "gateway":
      return `id ${id} via ${to.gateway} dev ${to.device}${to.onlink ? " onlink" : ""}`;
    case "device":
      return `id ${id} dev ${to.device}`;
    case "group":
      return `id ${id} group`;
  }
}

function ruleWords(rule: Rule): string {
  const words = [`priority ${rule.priority}`];
  if (rule.invert) words.push("not");
  if (rule.from !== undefined) words.push(`from ${formatPrefix(rule.from)}`);
  if (rule.to !== undefined) words.push(`to ${formatPrefix(rule.to)}`);
  if (rule.fwmark !== undefined) words.push(`fwmark ${markWords(rule.fwmark)}`);
  words.push(`lookup ${rule.table === MAIN_TABLE ? "main" : rule.table}`);
  if (rule.suppressPrefixLength !== undefined) {
    words.push(`suppress_prefixlength ${rule.suppressPrefixLength}`);
  }
  return words.join(" ");
}

function markWords({ value, mask }: NonNullable<Rule["fwmark"]>): string {
  return mask === 0xffff_ffff ? `${value}` : `0x${value.toString(16)}/0x${mask.toString(16)}`;
}

function fouWords(fou: FouListener): string {
  const words = [`port ${fou.port}`];
  if (fou.local !== undefined) words.push(`local ${outer(fou.local)}`);
  if (fou.peer !== undefined) words.push(`peer ${outer(fou.peer)}`);
  if (fou.peerPort !== undefined && fou.peer !== undefined && !isPlaceholder(fou.peer)) {
    words.push(`peer_port ${fou.peerPort}`);
  }
  if (fou.device !== undefined) words.push(`dev ${fou.device}`);
  return words.join(" ");
}

function outer(address: Parameters<typeof isPlaceholder>[0]): string {
  return isPlaceholder(address) ? `${address} (placeholder)` : address;
}
