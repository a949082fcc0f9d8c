/** A step as the message that carries it out. Pure: `--check` counts on steps and messages being the same. */
import { isDeepStrictEqual } from "node:util";
import { deleteAddress, newAddress } from "../kernel/address.ts";
import { addListener, deleteListener } from "../kernel/fou.ts";
import type { GenericFamily } from "../kernel/genetlink.ts";
import { changeLink, deleteLink, newLink, setLinkAlias, setLinkUp } from "../kernel/link.ts";
import { deleteProxy, newProxy } from "../kernel/neighbour.ts";
import { deleteNexthop, newNexthop, replaceNexthop } from "../kernel/nexthop.ts";
import { deleteRoute, newRoute, replaceRoute } from "../kernel/route.ts";
import { deviceIndex } from "../kernel/rtnetlink.ts";
import { deleteRule, newRule } from "../kernel/rule.ts";
import type { Devices } from "../net/objects.ts";
import type { Request } from "../netlink/request.ts";
import type { LinkResource, Resource } from "../plan/resources.ts";
import type { Step } from "../plan/step.ts";

/**
 * For generic netlink where it is a listener's, else for rtnetlink. Throws {@link KernelError} ENODEV where
 * a device is not in `devices`.
 *
 * @param fou undefined where the kernel has none; then there is no step of a listener.
 */
export function requestsOf(
  step: Step,
  devices: Devices,
  fou: GenericFamily | undefined,
): Request[] {
  const { action, resource, previous } = step;
  if (resource.object === "fou") {
    if (fou === undefined) throw new RangeError("a listener on a kernel without `fou`");
    const make = action === "remove" ? deleteListener : addListener;
    return [make(fou, resource.spec, devices)];
  }
  switch (action) {
    case "add":
      return addRequests(resource, devices);
    case "remove":
      return removeRequests(resource, devices);
    case "change":
      return changeRequests(resource, previous, devices);
  }
}

/**
 * A new device, the sign that it is ours, and up. By its index, so that where it can't be made the rest
 * meets no device (ENODEV), whoever has the name.
 */
export function linkRequests({ spec }: LinkResource, devices: Devices, index: number): Request[] {
  const made = [newLink(spec, devices, index), setLinkAlias(index, spec.alias)];
  return spec.up ? [...made, setLinkUp(index)] : made;
}

function addRequests(resource: Exclude<Resource, { object: "fou" }>, devices: Devices): Request[] {
  switch (resource.object) {
    case "link":
      throw new RangeError("devices are made by linkRequests()");
    case "address":
      return [newAddress(resource.spec, devices)];
    case "route":
      return [newRoute(resource.spec, devices)];
    case "nexthop":
      return [newNexthop(resource.spec, devices)];
    case "rule":
      return [newRule(resource.spec)];
    case "neighbour":
      return [newProxy(resource.spec, devices)];
    case "sysctl":
      return [];
  }
}

function removeRequests(
  resource: Exclude<Resource, { object: "fou" }>,
  devices: Devices,
): Request[] {
  switch (resource.object) {
    case "link": {
      const index = devices.index(resource.spec.name);
      return index === undefined ? [] : [deleteLink(index)];
    }
    case "address":
      return [deleteAddress(resource.spec, devices)];
    case "route":
      return [deleteRoute(resource.spec, devices)];
    case "nexthop":
      return [deleteNexthop(resource.spec.id)];
    case "rule":
      return [deleteRule(resource.spec)];
    case "neighbour":
      return [deleteProxy(resource.spec, devices)];
    case "sysctl":
      return [];
  }
}

function changeRequests(
  resource: Resource,
  previous: Resource | undefined,
  devices: Devices,
): Request[] {
  switch (resource.object) {
    case "link":
      return linkChanges(resource, previous, devices);
    case "route":
      return [replaceRoute(resource.spec, devices)];
    case "nexthop":
      return [replaceNexthop(resource.spec, devices)];
    default:
      return [];
  }
}

function linkChanges(
  resource: LinkResource,
  previous: Resource | undefined,
  devices: Devices,
): Request[] {
  const { name } = resource.spec;
  const index = deviceIndex(devices, name, `RTM_NEWLINK ${name} (change)`);
  if (previous?.object !== "link") return [changeLink(index, resource.spec, devices)];
  const { up: wasUp, ...before } = previous.spec;
  const { up, ...after } = resource.spec;
  return [
    ...(isDeepStrictEqual(before, after) ? [] : [changeLink(index, resource.spec, devices)]),
    ...(up && !wasUp ? [setLinkUp(index)] : []),
  ];
}
