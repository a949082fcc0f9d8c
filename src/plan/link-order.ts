/**
 * The order in which devices change their outer addresses. Two devices can't have one (local, remote) pair
 * even for a moment (net/ipv4/ip_tunnel.c, ip_tunnel_ctl and ip_tunnel_changelink: EEXIST), so whoever
 * leaves a pair goes before the one that takes it; in a ring one is parked aside first.
 */
import { placeholder } from "./ids.ts";
import type { Resource } from "./resources.ts";
import type { Step } from "./step.ts";

/** Nobody's id, so that no device's local is this; one ring is undone before the next begins. */
const ASIDE = placeholder(0);

/** @param steps Changes of links. */
export function inFreeingOrder(steps: readonly Step[]): Step[] {
  const leaver = new Map(steps.map((step) => [pairOf(step.previous), step]));
  const ordered: Step[] = [];
  const state = new Map<Step, "begun" | "done">();
  for (const first of steps) {
    // The chain of those who must leave before `first` can come, the last one in front.
    const chain: Step[] = [];
    let next: Step | undefined = first;
    while (next !== undefined && !state.has(next)) {
      state.set(next, "begun");
      chain.unshift(next);
      const taken = leaver.get(pairOf(next.resource));
      next = taken === next ? undefined : taken;
    }
    // The chain bites one of its own links: that one makes room, and comes back last.
    const parked = next !== undefined && state.get(next) === "begun" ? aside(next) : [];
    ordered.push(...parked, ...chain);
    for (const step of chain) state.set(step, "done");
  }
  return ordered;
}

function aside(step: Step): Step[] {
  const { previous } = step;
  if (previous?.object !== "link") return [];
  const ipip = { ...previous.spec.ipip, local: ASIDE };
  const resource: Resource = { ...previous, spec: { ...previous.spec, ipip } };
  return [{ action: "change", resource, previous }];
}

function pairOf(resource: Resource | undefined): string | undefined {
  if (resource?.object !== "link") return undefined;
  const { local, remote, device } = resource.spec.ipip;
  return `${local} ${remote ?? "any"} ${device ?? ""}`;
}
