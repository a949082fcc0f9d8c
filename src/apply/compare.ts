/** Desired state held against an observation → the change that makes them one. Pure. */
import type { Desired } from "../plan/desired.ts";
import { diff, type Step } from "../plan/diff.ts";
import type { Resource } from "../plan/resources.ts";
import { leaveDown } from "../plan/settle.ts";
import type { Change } from "./change.ts";
import { beforeAndAfter, diffRuleset, type NftChange } from "./nftables/diff.ts";
import { ruleset } from "./nftables/ruleset.ts";
import type { Observation } from "./observation.ts";

export interface CompareOptions {
  /** Set devices up that are down: at a start, not because of one that someone has taken down since. */
  readonly raise: boolean;
}

export function compare(
  desired: Desired,
  observation: Observation,
  { raise }: CompareOptions,
): Change {
  const down = raise ? new Set<string>() : devicesDown(observation.resources);
  return inTwo(
    diffRuleset(desired.gate.table, ruleset(desired.gate), objectsIn(observation)),
    diff(leaveDown(desired.resources, down), observation.resources),
  );
}

/** What leads back to an earlier observation. */
export function compareWithEarlier(table: string, earlier: Observation, now: Observation): Change {
  return inTwo(
    diffRuleset(table, objectsIn(earlier), objectsIn(now)),
    diff(earlier.resources, now.resources),
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
export function compareWithNothing(table: string, now: Observation): Change {
  return inTwo(diffRuleset(table, [], objectsIn(now)), diff([], now.resources));
}

/**
 * The gate's changes before and after the rest. A guard stands before its listener does and goes after it;
 * an element comes after the listener that it speaks of (what it lets in before would draw ICMP port
 * unreachable) and goes before it. Where no listener or device changes, all is one atomic batch.
 */
export function inTwo(changes: readonly NftChange[], steps: readonly Step[]): Change {
  const moves = steps.some(({ resource: { object } }) => object === "link" || object === "fou");
  const { before, after } = moves ? beforeAndAfter(changes) : { before: [], after: changes };
  return { gateBefore: before, steps, gateAfter: after };
}

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
