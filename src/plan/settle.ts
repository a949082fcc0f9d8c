/** Desired state at a host where someone has taken devices of ours down. Pure. */
import type { Link, ProxyNeighbour } from "../net/objects.ts";
import type { Resource } from "./resources.ts";

/**
 * A device that is down stays down: whoever did it had a reason. Its routes and nexthops can't be there
 * meanwhile (the kernel takes them with the link and refuses new ones, ENETDOWN); the unreachable routes
 * behind them hold.
 */
export function leaveDown(
  desired: readonly Resource[],
  down: ReadonlySet<string>,
): readonly Resource[] {
  if (down.size === 0) return desired;
  const without = new Set<number>();
  for (const { object, spec } of desired) {
    if (object === "nexthop" && spec.to.kind === "gateway" && down.has(spec.to.device))
      without.add(spec.id);
  }
  return desired.flatMap((resource): Resource[] => {
    switch (resource.object) {
      case "link":
        return [
          down.has(resource.spec.name)
            ? { ...resource, spec: { ...resource.spec, up: false } }
            : resource,
        ];
      case "nexthop":
        return without.has(resource.spec.id) ? [] : [resource];
      case "route": {
        const { device, nexthop } = resource.spec;
        const waits = down.has(device ?? "") || (nexthop !== undefined && without.has(nexthop));
        return waits ? [] : [resource];
      }
      default:
        return [resource];
    }
  });
}

/**
 * What stands on a device of somebody else waits until that is there and up; an address for which somebody
 * else has this host answer already is his.
 */
export function withoutWaiting(
  desired: readonly Resource[],
  outside: { readonly links: readonly Link[]; readonly proxies: readonly ProxyNeighbour[] },
): Resource[] {
  const there = new Set(outside.links.filter((link) => link.up).map(({ name }) => name)).add("lo");
  for (const { object, spec } of desired) if (object === "link") there.add(spec.name);
  const ready = (device: string): boolean => there.has(device);
  return desired.filter(({ object, spec }) => {
    if (object === "route") return spec.device === undefined || ready(spec.device);
    if (object !== "neighbour") return true;
    const theirs = outside.proxies.some(
      ({ address, device, protocol }) =>
        address === spec.address && device === spec.device && protocol !== spec.protocol,
    );
    return ready(spec.device) && !theirs;
  });
}
