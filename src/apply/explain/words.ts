/** Kernel objects as an operator knows them from `ip`. Pure. */
import type { PeerConfig } from "../../config/model.ts";
import type { RouteLookup } from "../../kernel/route.ts";
import { type Link, LOCAL_TABLE, MAIN_TABLE } from "../../net/objects.ts";
import type { Verdict } from "./model.ts";

/** Why a packet is lost, and what to do about it. */
export type Reason = readonly [why: string, mend: string | null];

export function dropped(why: string, mend: string | null): Verdict {
  return { outcome: "dropped", verdict: `dropped: ${why}`, mend };
}

/** The mend where a peer that is waited for has no proof. */
export const PROVE = "`ipipoud reauth` on its side; `ipipoud events` here tells what comes of it";

/** The same for one that we dial. */
export const DIALLING = "`ipipoud events` tells what becomes of dialling it";

/** A peer that we dial. */
export function notReached({ name }: PeerConfig): Reason {
  return [`${name} is not reached yet`, DIALLING];
}

/** A peer that we wait for. */
export function noProof({ name }: PeerConfig): string {
  return `${name} has no proof now`;
}

export function lasting({ authLifetime }: PeerConfig): string {
  return authLifetime > 0 ? ` (one lasts ${authLifetime / 1000} s)` : "";
}

export function changedByOthers(chain: string | undefined): Verdict {
  return {
    outcome: "unknown",
    verdict: `unknown: chain ${chain} was changed by somebody else`,
    mend: "reload or restart ipipoud: it puts its own rules back",
  };
}

const TABLES: ReadonlyMap<number, string> = new Map([
  [253, "default"],
  [MAIN_TABLE, "main"],
  [LOCAL_TABLE, "local"],
]);

/** `via 198.51.100.2 dev eth0, table main` */
export function describeRoute({ type, gateway, device, table }: RouteLookup): string {
  const words: string[] = type === "unicast" ? [] : [type];
  if (gateway !== undefined) words.push(`via ${gateway}`);
  if (device !== undefined) words.push(`dev ${device}`);
  return `${words.join(" ")}, table ${TABLES.get(table) ?? table}`;
}

/** `ipipou0: local 203.0.113.1, remote any, mtu 1472, up` */
export function describeIpip({ name, ipip, mtu, up, carrier }: Link): string {
  const words = [
    ...(ipip === undefined ? [] : [`local ${ipip.local}`, `remote ${ipip.remote ?? "any"}`]),
    ...(ipip?.device === undefined ? [] : [`bound to ${ipip.device}`]),
    `mtu ${mtu}`,
    up ? (carrier ? "up" : "up without a carrier") : "down",
  ];
  return `${name}: ${words.join(", ")}`;
}
