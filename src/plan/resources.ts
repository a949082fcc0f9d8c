/** What we keep in the kernel beside the gate, one value per object. */
import { formatPrefix } from "../net/address.ts";
import type {
  FouListener,
  InterfaceAddress,
  Nexthop,
  ProxyNeighbour,
  Route,
  Rule,
  TunnelLink,
} from "../net/objects.ts";

interface Of<Kind extends string, Spec> {
  readonly object: Kind;
  /** The tunnel's name; null for what belongs to all. */
  readonly tunnel: string | null;
  readonly spec: Spec;
}

export type LinkResource = Of<"link", TunnelLink & { readonly up: boolean }>;
export type AddressResource = Of<"address", InterfaceAddress>;
export type RouteResource = Of<"route", Route>;
export type NexthopResource = Of<"nexthop", Nexthop>;
export type RuleResource = Of<"rule", Rule>;
export type NeighbourResource = Of<"neighbour", ProxyNeighbour>;
export type FouResource = Of<"fou", FouListener>;
export type SysctlResource = Of<"sysctl", { readonly name: string; readonly value: string }>;

export type Resource =
  | LinkResource
  | AddressResource
  | RouteResource
  | NexthopResource
  | RuleResource
  | NeighbourResource
  | FouResource
  | SysctlResource;

/** What makes two resources the same object, whose other properties may differ. */
export function keyOf(resource: Resource): string {
  const { object } = resource;
  switch (object) {
    case "link":
      return `link ${resource.spec.name}`;
    case "address": {
      const { device, local, prefixLength, peer } = resource.spec;
      return `address ${device} ${local} ${peer ?? ""}/${prefixLength}`;
    }
    case "route": {
      const { destination, table, metric } = resource.spec;
      return `route ${table} ${formatPrefix(destination)} ${metric}`;
    }
    case "nexthop":
      return `nexthop ${resource.spec.id}`;
    case "rule": {
      const { priority, table, from, to, fwmark } = resource.spec;
      const [source, destination] = [from, to].map((p) => (p === undefined ? "" : formatPrefix(p)));
      const mark = fwmark === undefined ? "" : `${fwmark.value}/${fwmark.mask}`;
      return `rule ${priority} ${table} ${source} ${destination} ${mark}`;
    }
    case "neighbour":
      return `neighbour ${resource.spec.device} ${resource.spec.address}`;
    case "fou":
      // Two listeners on one address and port exclude each other, whatever they are connected to.
      return `fou ${resource.spec.local ?? "*"}:${resource.spec.port}`;
    case "sysctl":
      return `sysctl ${resource.spec.name}`;
  }
}
