/** Where a tunnel's outer packets leave and arrive: `listen` held against what the host has. Pure. */
import type { TunnelConfig } from "../config/model.ts";
import { familyOf, type IpAddress } from "../net/address.ts";
import { type InterfaceAddress, type Link, MAIN_TABLE, type Route } from "../net/objects.ts";
import { isOurProtocol } from "./ownership.ts";
import type { Underlay } from "./situation.ts";

/** What of the host bears on it. */
export interface Host {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** With the default routes where {@link followsDefaultRoute}; perhaps only our own otherwise. */
  readonly routes: readonly Route[];
}

const ETHERNET_MTU = 1500;

export function underlayOf(tunnel: TunnelConfig, host: Host, port: number): Underlay {
  const { listen } = tunnel;
  const device = listen.device ?? deviceOf(listen.address, host) ?? defaultRoute(host)?.device;
  const local = listen.address ?? addressOn(device, host);
  const link = host.links.find(({ name }) => name === device);
  const bound = link === undefined ? undefined : listen.device;
  return { local, device: bound, index: link?.index, mtu: link?.mtu ?? ETHERNET_MTU, port };
}

/** Whether a tunnel names neither address nor device and so goes where the default route goes. */
export function followsDefaultRoute({ listen }: TunnelConfig): boolean {
  return listen.address === undefined && listen.device === undefined;
}

/** The main table's default route with the best metric, our own ones left out. */
export function defaultRoute(host: Host): Route | undefined {
  return host.routes
    .filter(
      ({ destination, table, type }) =>
        destination.length === 0 && table === MAIN_TABLE && type === "unicast",
    )
    .filter(({ protocol, device }) => !isOurProtocol(protocol) && device !== undefined)
    .sort((a, b) => a.metric - b.metric)[0];
}

function deviceOf(address: IpAddress | undefined, host: Host): string | undefined {
  if (address === undefined) return undefined;
  return host.addresses.find(({ local }) => local === address)?.device;
}

/** The first IPv4 address of the device that others can reach us at; the default route's source first. */
function addressOn(device: string | undefined, host: Host): IpAddress | undefined {
  if (device === undefined) return undefined;
  const route = defaultRoute(host);
  if (route?.device === device && route.source !== undefined) return route.source;
  return host.addresses.find(
    ({ device: on, local }) =>
      on === device &&
      familyOf(local) === "ipv4" &&
      !local.startsWith("127.") &&
      !local.startsWith("169.254."),
  )?.local;
}
