/**
 * What the kernel lets others change without telling anybody: FOU listeners, proxy neighbours, parameters.
 * A small look that is taken often; it changes nothing.
 */
import { dumpListeners, FOU_GENL_NAME, listenerName } from "../kernel/fou.ts";
import { findFamily } from "../kernel/genetlink.ts";
import { dumpProxies, proxyName } from "../kernel/neighbour.ts";
import { readSysctl } from "../kernel/sysctl.ts";
import type { Message } from "../netlink/request.ts";
import type { Sockets } from "./sockets.ts";

export interface SilentWants {
  readonly listeners: boolean;
  readonly proxies: boolean;
  readonly sysctls: readonly string[];
}

/** As the kernel tells it: most looks find the bytes of the one before. */
export interface Silent {
  readonly listeners: readonly Message[];
  readonly proxies: readonly Message[];
  readonly sysctls: readonly (readonly [name: string, value: string | undefined])[];
}

export async function lookAtSilent(
  { generic, route }: Pick<Sockets, "generic" | "route">,
  { listeners, proxies, sysctls }: SilentWants,
): Promise<Silent> {
  const fou = listeners ? await findFamily(generic, FOU_GENL_NAME) : undefined;
  return {
    listeners: fou === undefined ? [] : await generic.dump(dumpListeners(fou)),
    proxies: proxies ? await route.dump(dumpProxies()) : [],
    sysctls: await Promise.all(
      sysctls.map(async (name) => [name, await readSysctl(name)] as const),
    ),
  };
}

/**
 * What has gone, or is another one, in words; undefined: nothing. Pure.
 *
 * @param byUs We have written meanwhile: what is another one may be so by our own hand.
 */
export function silentChange(before: Silent, now: Silent, byUs: boolean): string | undefined {
  const lists = [
    [before.listeners, now.listeners, listenerName, "FOU listener"],
    [before.proxies, now.proxies, proxyName, "proxy neighbour"],
  ] as const;
  for (const [was, is, nameOf, kind] of lists) {
    if (equal(was, is)) continue;
    const left = new Map(is.map((message) => [nameOf(message), message.payload]));
    for (const message of was) {
      const name = nameOf(message);
      const there = left.get(name);
      if (there === undefined) return `the ${kind} ${name} was removed`;
      if (!byUs && !there.equals(message.payload)) return `the ${kind} ${name} was changed`;
    }
  }
  if (byUs) return undefined;
  for (const [i, [name, value]] of now.sysctls.entries()) {
    if (before.sysctls[i]?.[1] === value) continue;
    return `${name.replaceAll("/", ".")} was set to ${value}`;
  }
  return undefined;
}

function equal(some: readonly Message[], others: readonly Message[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ payload }, i) => others[i]?.payload.equals(payload) === true)
  );
}
