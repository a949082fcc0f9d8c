/** Small questions to the kernel that the running daemon asks beside a whole observation. */
import { decodeAddress, dumpAddresses } from "../kernel/address.ts";
import { devicesOf } from "../kernel/devices.ts";
import { decodeLink, dumpLinks } from "../kernel/link.ts";
import { decodeRoute, dumpRoutes } from "../kernel/route.ts";
import type { Link } from "../net/objects.ts";
import type { Message } from "../netlink/request.ts";
import type { Host } from "../plan/underlay.ts";
import type { Sockets } from "./sockets.ts";

/** All links by name, with their counters. */
export async function lookAtLinks({ route }: Sockets): Promise<ReadonlyMap<string, Link>> {
  const messages = await route.dump(dumpLinks());
  const devices = devicesOf(messages);
  return new Map(decoded(messages, (m) => decodeLink(m, devices)).map((link) => [link.name, link]));
}

/**
 * What `listen` is held against.
 * @param whole The routes too: needed where a tunnel follows the default route.
 */
export async function lookAtHost({ route }: Sockets, whole: boolean): Promise<Host> {
  const messages = await route.dump(dumpLinks());
  const devices = devicesOf(messages);
  return {
    links: decoded(messages, (m) => decodeLink(m, devices)),
    addresses: decoded(await route.dump(dumpAddresses()), (m) => decodeAddress(m, devices)),
    routes: whole ? decoded(await route.dump(dumpRoutes()), (m) => decodeRoute(m, devices)) : [],
  };
}

export function decoded<T>(
  messages: readonly Message[],
  decode: (message: Message) => T | undefined,
): T[] {
  const values: T[] = [];
  for (const message of messages) {
    const value = decode(message);
    if (value !== undefined) values.push(value);
  }
  return values;
}
