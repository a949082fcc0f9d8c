/** Desired state at a host where someone has taken devices of ours down. Pure. */
import type { Resource } from "./resources.ts";

/**
 * A device that is down stays down: whoever did it had a reason. Its routes and nexthops can't be there
 * meanwhile (the kernel takes them with the link and refuses new ones, ENETDOWN); the unreachable routes
 * behind them hold.
 */
export function leaveDown(desired: readonly Resource[], down: ReadonlySet<string>): Resource[] {
  if (down.size === 0) return [...desired];
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
