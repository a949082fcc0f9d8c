/** The edge of `explain`: reads the kernel, and asks it for routes. Changes nothing. */
import type { Configuration } from "../../config/model.ts";
import { readQueues } from "../../kernel/nfqueue-state.ts";
import type { LookupOptions } from "../../kernel/route.ts";
import type { Devices } from "../../net/objects.ts";
import { assignIds } from "../../plan/ids.ts";
import { observeLimits } from "../nftables/observe.ts";
import { observe } from "../observe.ts";
import { lookUpRoute, type RouteAnswer } from "../route-lookup.ts";
import type { Sockets } from "../sockets.ts";
import type { RouteQuestion, Scene, Walk } from "./model.ts";

/** undefined: this user may not see the gate. */
export async function readScene(
  sockets: Sockets,
  configuration: Configuration,
): Promise<Scene | undefined> {
  const { table } = configuration;
  const observation = await observe(sockets, table, { whole: false, sysctls: [] });
  const { ruleset } = observation;
  if (ruleset.kind === "hidden") return undefined;
  const objects = ruleset.kind === "ours" ? ruleset.objects : [];
  return {
    ...{ configuration, observation, ids: assignIds(configuration) },
    limits: await observeLimits(sockets.netfilter, table, objects),
    queues: readQueues(),
    now: Date.now() / 1000,
  };
}

/** Walks to the end, with the kernel's answers. */
export async function answered<T>(
  { route }: Pick<Sockets, "route">,
  { observation }: Scene,
  walk: Walk<T>,
): Promise<T> {
  let next = walk.next();
  while (next.done !== true) next = walk.next(await ask(route, observation.devices, next.value));
  return next.value;
}

async function ask(
  route: Sockets["route"],
  devices: Devices,
  question: RouteQuestion,
): Promise<RouteAnswer> {
  const { to, from, mark, iif, oif } = question;
  const [input, output] = [iif, oif].map((name) => name && devices.index(name));
  // It may have gone since the look at the devices.
  if ((iif !== undefined && !input) || (oif !== undefined && !output)) return { error: "ENODEV" };
  const options: LookupOptions = {
    ...(from === undefined ? {} : { from }),
    ...(mark === undefined ? {} : { mark }),
    ...(typeof input === "number" ? { iif: input } : {}),
    ...(typeof output === "number" ? { oif: output } : {}),
  };
  return await lookUpRoute(route, to, options, devices);
}
