/** Desired state held against an observation → the change that makes them one. Pure. */
import type { Desired } from "../plan/desired.ts";
import { diff, inOrder } from "../plan/diff.ts";
import type { Resource } from "../plan/resources.ts";
import { leaveDown, withoutWaiting } from "../plan/settle.ts";
import type { Step } from "../plan/step.ts";
import { planSysctls, type Remembered, revertSysctls, type Sysctls } from "../plan/sysctls.ts";
import type { Change } from "./change.ts";
import { beforeAndAfter, diffRuleset } from "./nftables/diff.ts";
import { memoryObjects, rememberedIn } from "./nftables/memory.ts";
import type { NftChange } from "./nftables/nft-change.ts";
import { ruleset } from "./nftables/ruleset.ts";
import type { Observation } from "./observation.ts";

export interface CompareOptions {
  /** Set devices up that are down: at a start, not because of one that someone has taken down since. */
  readonly raise: boolean;
  /** What was remembered when we last wrote: somebody may have emptied the table since. */
  readonly remembered?: readonly Remembered[];
}

export interface Compared extends Change {
  /** Of parameters, when this has been carried out. */
  readonly remembered: readonly Remembered[];
}

export function compare(
  desired: Desired,
  observation: Observation,
  { raise, remembered = [] }: CompareOptions,
): Compared {
  const down = raise ? new Set<string>() : devicesDown(observation.resources);
  const resources = leaveDown(withoutWaiting(desired.resources, observation), down);
  const steps = diff(resources, observation.resources);
  const sysctls = planSysctls({
    ...sysctlsIn(observation, steps, remembered),
    wanted: desired.sysctls,
  });
  const objects = [...ruleset(desired.gate), ...memoryObjects(sysctls.remembered)];
  const change = inTwo(
    diffRuleset(desired.gate.table, objects, objectsIn(observation)),
    withSysctls(steps, sysctls.steps),
  );
  return { ...change, remembered: sysctls.remembered };
}

function sysctlsIn(
  observation: Observation,
  steps: readonly Step[],
  known: readonly Remembered[] = [],
): Omit<Sysctls, "wanted"> {
  const made = new Set<string>();
  const gone = new Set<string>();
  for (const { action, resource } of steps) {
    if (resource.object !== "link" || action === "change") continue;
    (action === "add" ? made : gone).add(resource.spec.name);
  }
  const remembered = withKnown(rememberedIn(objectsIn(observation)), known);
  return { values: observation.sysctls, remembered, made, gone };
}

/** The table's word counts where there is one. */
function withKnown(told: readonly Remembered[], known: readonly Remembered[]): Remembered[] {
  const names = new Set(told.map(({ name }) => name));
  return [...told, ...known.filter(({ name }) => !names.has(name))];
}

function withSysctls(steps: readonly Step[], more: readonly Step[]): readonly Step[] {
  return more.length === 0 ? steps : inOrder([...steps, ...more]);
}

/** What leads back to an earlier observation. */
export function compareWithEarlier(table: string, earlier: Observation, now: Observation): Change {
  const sysctls = revertSysctls(sysctlsIn(earlier, []), sysctlsIn(now, []));
  return inTwo(
    diffRuleset(table, objectsIn(earlier), objectsIn(now)),
    withSysctls(diff(earlier.resources, now.resources), sysctls),
  );
}

/**
 * A peer whose packets flow takes another way: what the gate must know of the new one comes before, what
 * it knows of the old one goes after, so no packet is lost.
 */
export function inPassing(changes: readonly NftChange[], steps: readonly Step[]): Change {
  return {
    gateBefore: changes.filter(({ action }) => action !== "remove"),
    steps,
    gateAfter: changes.filter(({ action }) => action === "remove"),
  };
}

/** Nothing of ours left. */
export function compareWithNothing(
  table: string,
  now: Observation,
  remembered: readonly Remembered[] = [],
): Change {
  const steps = diff([], now.resources);
  const sysctls = planSysctls({ ...sysctlsIn(now, steps, remembered), wanted: [] });
  return inTwo(diffRuleset(table, [], objectsIn(now)), withSysctls(steps, sysctls.steps));
}

/**
 * The gate's changes before and after the rest. A guard stands before its listener does and goes after it;
 * an element comes after the listener that it speaks of (what it lets in before would draw ICMP port
 * unreachable) and goes before it. What a parameter was is remembered before it is written, and forgotten
 * after it is put back. Where nothing of that changes, all is one atomic batch.
 */
export function inTwo(changes: readonly NftChange[], steps: readonly Step[]): Change {
  const moves = steps.some(({ resource: { object } }) => STEPWISE.has(object));
  const { before, after } = moves ? beforeAndAfter(changes) : { before: [], after: changes };
  return { gateBefore: before, steps, gateAfter: after };
}

const STEPWISE: ReadonlySet<Resource["object"]> = new Set(["link", "fou", "sysctl"]);

function objectsIn({ ruleset: there }: Observation) {
  return there.kind === "ours" ? there.objects : [];
}

function devicesDown(resources: readonly Resource[]): Set<string> {
  const down = new Set<string>();
  for (const resource of resources) {
    if (resource.object === "link" && !resource.spec.up) down.add(resource.spec.name);
  }
  return down;
}
