/** Devices of others that bear on the gate. Pure. */
import type { Link } from "../net/objects.ts";
import { tunnelOfAlias } from "./ownership.ts";
import type { ForeignIpip } from "./situation.ts";

/**
 * ipip devices of others that are up and point to one remote: bare protocol 4 from there is theirs. One
 * with `remote any` would open our own devices to everyone, so it gets nothing at our addresses.
 */
export function foreignIpipOf(links: readonly Link[], table: string): ForeignIpip[] {
  return links.flatMap((link) => {
    if (link.ipip === undefined || !link.up || tunnelOfAlias(table, link.alias) !== undefined)
      return [];
    const { local, remote } = link.ipip;
    return remote === undefined ? [] : [{ device: link.name, local, remote }];
  });
}
