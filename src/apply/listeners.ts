/** The namespace's FOU listeners, and whose they are. Changes nothing. */
import { decodeListener, dumpListeners, FOU_GENL_NAME, getListener } from "../kernel/fou.ts";
import { findFamily, type GenericFamily } from "../kernel/genetlink.ts";
import { readUdpSockets, type UdpState } from "../kernel/udp-state.ts";
import type { Devices, FouListener, InterfaceAddress, Route } from "../net/objects.ts";
import { KernelError } from "../netlink/errors.ts";
import type { LinkResource, Resource } from "../plan/resources.ts";
import { outerOfStandIns } from "./adopt.ts";
import { decoded } from "./look.ts";
import type { Sockets } from "./sockets.ts";

/** undefined: the kernel has no such family. */
export interface Listed {
  readonly family: GenericFamily;
  readonly listeners: readonly FouListener[];
}

export async function listListeners(
  { generic }: Sockets,
  devices: Devices,
): Promise<Listed | undefined> {
  const family = await findFamily(generic, FOU_GENL_NAME);
  if (family === undefined) return undefined;
  const messages = await generic.dump(dumpListeners(family));
  return { family, listeners: decoded(messages, (m) => decodeListener(family, m, devices)) };
}

/** Whose listener is at a {@link place}: the tunnel's name; null where it is known no more. */
export type Owners = ReadonlyMap<string, string | null>;

/** A listener carries no owner: it is ours where a device or a rule of ours speaks of its port. */
export function listenerOwners(
  links: readonly LinkResource[],
  routes: readonly Route[],
  doors: readonly { readonly local: string; readonly port: number }[],
): Owners {
  const owners = new Map<string, string | null>(doors.map((door) => [place(door), null]));
  const outer = outerOfStandIns(routes);
  // Where the device has gone, the route to its stand-in still tells of it.
  for (const [local, at] of outer) {
    for (const { local: door, port } of doors) {
      if (door === at) owners.set(place({ local, port }), null);
    }
  }
  for (const { tunnel, spec } of links) {
    const { local, fou } = spec.ipip;
    if (fou === undefined) continue;
    const port = fou.sourcePort;
    owners.set(place({ local, port }), tunnel);
    // A translated tunnel has a second one, at the outer address.
    owners.set(place({ local: outer.get(local) ?? local, port }), tunnel);
  }
  return owners;
}

export function ourListeners(listeners: readonly FouListener[], owners: Owners): Resource[] {
  return listeners.flatMap((spec): Resource[] => {
    const tunnel = owners.get(place(spec));
    return tunnel === undefined || spec.type !== "direct" ? [] : [{ object: "fou", tunnel, spec }];
  });
}

/** A datagram of a list has room for more than this, so that of so many none is left out. */
export const ONE_DATAGRAM = 32;

/**
 * Of each datagram of a list but the last the kernel forgets one listener: what finds no room in it is not
 * in the next one either (fou_nl_get_dumpit, net/ipv4/fou_core.c, up to 6.12 at least). Where one of ours should
 * be, there is a socket at least; which device it is bound to has to be tried.
 */
export async function unlistedListeners(
  { generic }: Sockets,
  { family, listeners }: Listed,
  owners: Owners,
  { devices, addresses }: { devices: Devices; addresses: readonly InterfaceAddress[] },
): Promise<FouListener[]> {
  if (listeners.length <= ONE_DATAGRAM) return [];
  const listed = new Set(listeners.map(place));
  const found: FouListener[] = [];
  for (const socket of readUdpSockets() ?? []) {
    if (listed.has(place(socket)) || !owners.has(place(socket))) continue;
    const bound = new Set(listeners.map(({ device }) => device)).add(undefined);
    for (const { local, device } of addresses) if (local === socket.local) bound.add(device);
    for (const device of bound) {
      const one = await ask(specOf(socket, device));
      if (one !== undefined) found.push(one);
    }
  }
  return found;

  async function ask(spec: FouListener): Promise<FouListener | undefined> {
    try {
      const [answer] = await generic.request(getListener(family, spec, devices));
      return answer && decodeListener(family, answer, devices);
    } catch (error) {
      // There is none of just this kind.
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }
}

function specOf(
  { local, port, peer, peerPort }: UdpState,
  device: string | undefined,
): FouListener {
  const remote = { peer, peerPort: peerPort === 0 ? undefined : peerPort };
  return { local, port, ...remote, device, ipProtocol: 0, type: "direct" };
}

/** As listenerName() of kernel/fou.ts spells it. */
export function place({
  local,
  port,
}: {
  readonly local: string | undefined;
  readonly port: number;
}): string {
  return `${local ?? "*"}:${port}`;
}
