/** Asks the kernel for the way that a packet would take. Changes nothing. */
import {
  decodeRouteLookup,
  getRoute,
  type LookupOptions,
  type RouteLookup,
} from "../kernel/route.ts";
import type { IpAddress } from "../net/address.ts";
import type { Devices } from "../net/objects.ts";
import { KernelError } from "../netlink/errors.ts";
import type { Sockets } from "./sockets.ts";

/** What the kernel answers; a code of errno where it would not route the packet. */
export type RouteAnswer = RouteLookup | { readonly error: string };

export async function lookUpRoute(
  route: Sockets["route"],
  to: IpAddress,
  options: LookupOptions,
  devices: Devices,
): Promise<RouteAnswer> {
  try {
    const messages = await route.request(getRoute(to, options));
    const [answer] = messages.flatMap((message) => decodeRouteLookup(message, devices) ?? []);
    return answer ?? { error: "no answer" };
  } catch (error) {
    if (error instanceof KernelError) return { error: error.code };
    throw error;
  }
}
