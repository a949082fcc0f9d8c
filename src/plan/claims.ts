/**
 * Whose an inner address is when networks of two peers of one tunnel lie in each other: the narrower
 * network's, as with routes. Pure.
 */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { formatPrefix, networkOf, type Prefix } from "../net/address.ts";

/**
 * By peer: the networks of others that lie inside its own and are narrower, so that their addresses are
 * not its to use. Peers without any are left out.
 */
export function narrowerOfOthers(tunnel: TunnelConfig): ReadonlyMap<PeerConfig, readonly Prefix[]> {
  const lengths = new Set<number>();
  for (const { allowedIPs } of tunnel.peers) {
    for (const { length } of allowedIPs ?? []) lengths.add(length);
  }
  // Networks of one length, as single addresses are, never lie in each other.
  if (lengths.size < 2) return new Map();
  const owners = new Map<string, PeerConfig>();
  for (const peer of tunnel.peers) {
    for (const prefix of peer.allowedIPs ?? []) owners.set(formatPrefix(networkOf(prefix)), peer);
  }
  const wider = [...lengths].sort((a, b) => b - a);
  const found = new Map<PeerConfig, Prefix[]>();
  for (const peer of tunnel.peers) {
    for (const prefix of peer.allowedIPs ?? []) {
      const owner = ownerAround(prefix, wider, owners);
      if (owner === undefined || owner === peer) continue;
      const list = found.get(owner) ?? [];
      list.push(prefix);
      found.set(owner, list);
    }
  }
  return found;
}

/** Who has the narrowest network around this one. */
function ownerAround(
  { address, length }: Prefix,
  lengths: readonly number[],
  owners: ReadonlyMap<string, PeerConfig>,
): PeerConfig | undefined {
  for (const wider of lengths) {
    if (wider >= length) continue;
    const owner = owners.get(formatPrefix(networkOf({ address, length: wider })));
    if (owner !== undefined) return owner;
  }
  return undefined;
}
