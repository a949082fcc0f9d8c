/** Kernel objects as an operator knows them from `ip`. Pure. */
import type { RouteLookup } from "../../kernel/route.ts";
import { type Link, LOCAL_TABLE, MAIN_TABLE } from "../../net/objects.ts";
import type { Verdict } from "./model.ts";

export function dropped(why: string, mend: string | null): Verdict {
  return { outcome: "dropped", verdict: `dropped: ${why}`, mend };
}

/** The mend where a peer that is waited for has no proof. */
export const PROVE = "`ipipoud reauth` on its side; `ipipoud events` here tells what comes of it";

/** The same for one that we dial. */
export const DIALLING = "`ipipoud events` tells what becomes of dialling it";

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
