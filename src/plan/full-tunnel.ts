/**
 * `0.0.0.0/0` through a tunnel whose own outer packets must not loop into it. As wg-quick does: a mark on
 * the outer packets, a table of its own for the default route, a rule that sends everything unmarked
 * there, and before it one that lets every route of the main table but the default one win.
 */
import type { TunnelConfig } from "../config/model.ts";
import { hash } from "./ids.ts";
import { protocolOf } from "./ownership.ts";
import type { RuleResource } from "./resources.ts";

const MAIN = 254;
/** Just before the main table's own rule (32766). */
const PRIORITY_MAIN = 32764;
const PRIORITY_TUNNEL = 32765;

export interface FullTunnel {
  readonly mark: number;
  readonly table: number;
}

/** undefined: no peer of this tunnel has a default route. */
export function fullTunnelOf(tunnel: TunnelConfig): FullTunnel | undefined {
  const wanted = tunnel.peers.some((peer) =>
    peer.allowedIPs?.some((prefix) => prefix.length === 0),
  );
  if (!wanted) return undefined;
  // Above the tables that people write by hand; the same after a restart.
  const own = 0x4900_0000 + (hash(tunnel.name) & 0xffff);
  // Mark 0 marks nothing, and tables 253 to 255 are the kernel's.
  const mark = tunnel.fwmark || own;
  return { mark, table: mark < 256 ? own : mark };
}

/** The mark of a tunnel's outer packets; 0: none. */
export function markOf(tunnel: TunnelConfig): number {
  return fullTunnelOf(tunnel)?.mark ?? tunnel.fwmark ?? 0;
}

/** @param of The name of our nf_tables table, which says whose rules they are. */
export function fullTunnelRules(
  tunnel: TunnelConfig,
  { mark, table }: FullTunnel,
  of: { readonly table: string },
): RuleResource[] {
  const rule = { from: undefined, to: undefined, protocol: protocolOf(of.table) };
  return [
    {
      object: "rule",
      tunnel: tunnel.name,
      spec: {
        ...rule,
        priority: PRIORITY_MAIN,
        fwmark: undefined,
        invert: false,
        table: MAIN,
        suppressPrefixLength: 0,
      },
    },
    {
      object: "rule",
      tunnel: tunnel.name,
      spec: {
        ...rule,
        priority: PRIORITY_TUNNEL,
        fwmark: { value: mark, mask: 0xffff_ffff },
        invert: true,
        table,
        suppressPrefixLength: undefined,
      },
    },
  ];
}
