/**
 * `0.0.0.0/0` through a tunnel whose own outer packets must not loop into it. As wg-quick does: a mark on
 * the outer packets, a table of its own for the default route, a rule that sends everything unmarked
 * there, and before it one that lets every route of the main table but the default one win.
 */
import type { PeerConfig, TunnelConfig } from "../config/model.ts";
import { type IpAddress, type Prefix, parseAddress } from "../net/address.ts";
import { MAIN_TABLE, type Rule } from "../net/objects.ts";
import { hash } from "./ids.ts";
import { protocolOf } from "./ownership.ts";
import type { RuleResource } from "./resources.ts";

/** Just before the main table's own rule (32766). */
const PRIORITY_PEER = 32763;
const PRIORITY_MAIN = 32764;
const PRIORITY_TUNNEL = 32765;

export interface FullTunnel {
  /** Its own; that of its outer packets is among {@link marksOf}. */
  readonly mark: number;
  readonly table: number;
}

/** undefined: no peer of this tunnel has a default route. */
export function fullTunnelOf(tunnel: TunnelConfig): FullTunnel | undefined {
  if (!tunnel.peers.some(isFull)) return undefined;
  // Above the tables that people write by hand; the same after a restart.
  const own = 0x4900_0000 + (hash(tunnel.name) & 0xffff);
  // Mark 0 marks nothing, and tables 253 to 255 are the kernel's.
  const mark = tunnel.fwmark || own;
  return { mark, table: mark < 256 ? own : mark };
}

/**
 * The mark of each tunnel's outer packets, by name; 0: none. Where one takes everything, those of the others
 * carry its mark, or they would go into it.
 */
export function marksOf(tunnels: readonly TunnelConfig[]): ReadonlyMap<string, number> {
  const full = tunnels.find(({ peers }) => peers.some(isFull));
  const common = full === undefined ? 0 : fullTunnelOf(full)?.mark;
  return new Map(tunnels.map(({ name, fwmark }) => [name, fwmark || common || 0]));
}

/** The peer that everything goes to. */
export function isFull({ allowedIPs }: PeerConfig): boolean {
  // A loop: all peers of a hub are asked, more than once.
  for (const { length } of allowedIPs ?? []) if (length === 0) return true;
  return false;
}

export interface FullTunnelRoute {
  /** Of the tunnel's outer packets. */
  readonly mark: number;
  /** Name of our nf_tables table, which says whose rules they are. */
  readonly table: string;
  readonly peer: PeerConfig;
  /** Our outer address; undefined while there is none. */
  readonly local: IpAddress | undefined;
  /** The peer's, as far as it is known. */
  readonly remote: IpAddress | undefined;
}

/**
 * None before the peer's name has been resolved for the first time: the question has to get out. From then
 * on it is asked through the tunnel like everything else.
 */
export function fullTunnelRules(
  tunnel: TunnelConfig,
  { table }: FullTunnel,
  { mark, table: owner, peer, local, remote }: FullTunnelRoute,
): RuleResource[] {
  const named = peer.endpoint !== undefined && parseAddress(peer.endpoint.host) === undefined;
  if (named && remote === undefined) return [];
  const rule = {
    ...{ from: undefined, to: undefined, fwmark: undefined, invert: false },
    ...{ suppressPrefixLength: undefined, protocol: protocolOf(owner) },
  };
  const specs: Rule[] = [
    { ...rule, priority: PRIORITY_MAIN, table: MAIN_TABLE, suppressPrefixLength: 0 },
    {
      ...rule,
      priority: PRIORITY_TUNNEL,
      fwmark: { value: mark, mask: 0xffff_ffff },
      invert: true,
      table,
    },
  ];
  if (local !== undefined && remote !== undefined) {
    // What comes from the peer carries no mark, and the way back to it is what strict rp_filter looks for
    // (net/ipv4/fib_frontend.c, __fib_validate_source). Nobody else sends from our outer address to it.
    const [from, to] = [host(local), host(remote)];
    specs.push({ ...rule, priority: PRIORITY_PEER, from, to, table: MAIN_TABLE });
  }
  return specs.map((spec) => ({ object: "rule", tunnel: tunnel.name, spec }));
}

function host(address: IpAddress): Prefix {
  return { address, length: 32 };
}
