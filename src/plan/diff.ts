/** What differs between desired and observed, as steps in the order in which they are safe. Pure. */
import { isDeepStrictEqual } from "node:util";
import { isPlaceholder } from "./ids.ts";
import { inFreeingOrder } from "./link-order.ts";
import { ResourceIndex } from "./resource-index.ts";
import type { LinkResource, Resource } from "./resources.ts";
import type { Step } from "./step.ts";
import { deviceIn } from "./sysctls.ts";

/** Both sides hold only what is ours; see apply/observe for how that is known. */
export function diff(desired: Iterable<Resource>, observed: Iterable<Resource>): Step[] {
  const wanted = new ResourceIndex(desired);
  const there = new ResourceIndex(observed);
  const remade = devicesToRecreate(wanted, there);
  const lost = goesWithOthers(wanted, there, remade);
  const bare = devicesLosingTheirLastAddress(wanted, there);

  const steps: Step[] = [];
  for (const previous of there.all) {
    if (wanted.get(previous) === undefined && !lost.has(previous)) steps.push(removal(previous));
  }
  for (const resource of wanted.all) {
    const found = there.get(resource);
    const previous = found === undefined || lost.has(found) ? undefined : found;
    if (previous === undefined) steps.push(addition(resource));
    else if (resource.object === "link" && remade.has(resource.spec.name)) {
      steps.push(removal(previous), addition(resource));
    } else if (
      !isDeepStrictEqual(previous.spec, resource.spec) ||
      (resource.object === "route" && standsOn(bare, resource))
    ) {
      steps.push(...changes(previous, resource));
    }
  }
  return inOrder(steps);
}

/** Steps in the order of {@link rank}, those of one rank as they come but for {@link inFreeingOrder}. */
export function inOrder(steps: readonly Step[]): Step[] {
  const byRank: Step[][] = Array.from({ length: RANKS }, () => []);
  for (const step of steps) byRank[rank(step)]?.push(step);
  const changes = byRank[LINK_CHANGE] ?? [];
  if (changes.length > 1) byRank[LINK_CHANGE] = inFreeingOrder(changes);
  const [first = [], ...others] = byRank.filter((same) => same.length > 0);
  return first.concat(...others);
}

/**
 * Guards first and last; listeners go before their device changes and come back after it, so that no
 * packet meets a listener that names another peer than the device does.
 */
function rank({ action, resource }: Step): number {
  const removing = action === "remove";
  switch (resource.object) {
    case "sysctl":
      // Of a device of ours once it is there, of the host before anything flows.
      return deviceIn(resource.spec.name) === undefined ? 1 : 35;
    case "route":
      // As is what leads to an id: nexthops, listeners and devices rely on it.
      if (resource.spec.type !== "unicast" || isPlaceholder(resource.spec.destination.address))
        return removing ? 90 : 0;
      return removing ? 11 : 70;
    case "rule":
      return removing ? 10 : 80;
    case "nexthop":
      return removing ? 12 : 60;
    case "address":
      return removing ? 13 : 40;
    case "neighbour":
      return removing ? 14 : 41;
    case "fou":
      return removing ? 20 : 50;
    case "link":
      // A change may free the addresses that a new device takes.
      return removing ? 21 : action === "change" ? LINK_CHANGE : 31;
  }
}

const LINK_CHANGE = 30;
const RANKS = 91;

function removal(previous: Resource): Step {
  return { action: "remove", resource: previous, previous };
}

function addition(resource: Resource): Step {
  return { action: "add", resource, previous: undefined };
}

function changes(previous: Resource, resource: Resource): Step[] {
  switch (resource.object) {
    // No change in place exists for these.
    case "fou":
    case "address":
    case "rule":
      return [removal(previous), addition(resource)];
    default:
      return [{ action: "change", resource, previous }];
  }
}

/** A device can't go from an address to `any` or back: net/ipv4/ipip.c, ipip_changelink gives EINVAL. */
function devicesToRecreate(wanted: ResourceIndex, there: ResourceIndex): Set<string> {
  const gone = new Set<string>();
  for (const previous of there.all) {
    if (previous.object !== "link") continue;
    const resource = wanted.get(previous);
    if (resource?.object !== "link") continue;
    if (isNbma(resource) !== isNbma(previous)) gone.add(resource.spec.name);
  }
  return gone;
}

function isNbma(link: LinkResource): boolean {
  return link.spec.ipip.remote === undefined;
}

/**
 * What the kernel removes by itself when something else goes: addresses, neighbours, routes and nexthops
 * with their device, routes with their nexthop.
 */
function goesWithOthers(
  wanted: ResourceIndex,
  there: ResourceIndex,
  remade: ReadonlySet<string>,
): Set<Resource> {
  const devices = new Set(remade);
  for (const resource of there.all) {
    const { object, spec } = resource;
    if (object === "link" && wanted.get(resource) === undefined) devices.add(spec.name);
  }
  const nexthops = new Set<number>();
  for (const resource of there.all) {
    if (resource.object !== "nexthop") continue;
    if (wanted.get(resource) === undefined || standsOn(devices, resource))
      nexthops.add(resource.spec.id);
  }
  const lost = new Set<Resource>();
  for (const resource of there.all) {
    const nexthop = resource.object === "route" ? resource.spec.nexthop : undefined;
    if (standsOn(devices, resource) || (nexthop !== undefined && nexthops.has(nexthop)))
      lost.add(resource);
  }
  return lost;
}

/** With a device's last address go the routes on it: net/ipv4/fib_frontend.c, fib_disable_ip(). */
function devicesLosingTheirLastAddress(wanted: ResourceIndex, there: ResourceIndex): Set<string> {
  const losing = new Set<string>();
  const keeping = new Set<string>();
  for (const resource of there.all) {
    if (resource.object !== "address") continue;
    const stays = isDeepStrictEqual(wanted.get(resource)?.spec, resource.spec);
    (stays ? keeping : losing).add(resource.spec.device);
  }
  for (const device of keeping) losing.delete(device);
  return losing;
}

function standsOn(devices: ReadonlySet<string>, resource: Resource): boolean {
  return devices.has(deviceOf(resource) ?? "");
}

function deviceOf(resource: Resource): string | undefined {
  switch (resource.object) {
    case "address":
    case "neighbour":
    case "route":
      return resource.spec.device;
    case "nexthop":
      return resource.spec.to.kind === "gateway" || resource.spec.to.kind === "device"
        ? resource.spec.to.device
        : undefined;
    default:
      return undefined;
  }
}
