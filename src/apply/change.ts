/** Everything that differs, cut into what may be done when. Pure. */
import { describe } from "../plan/describe.ts";
import type { Step } from "../plan/step.ts";
import { describe as describeObject } from "./nftables/describe.ts";
import type { NftChange } from "./nftables/nft-change.ts";

export interface Change {
  /** Guards that come, and elements of peers whose listener or device is about to change. */
  readonly gateBefore: readonly NftChange[];
  readonly steps: readonly Step[];
  /** Elements that come, guards that go. */
  readonly gateAfter: readonly NftChange[];
}

/** A line of `--check`, and of the daemon's word on what it did. */
export interface PlannedStep {
  readonly action: "add" | "change" | "remove";
  readonly object:
    | "link"
    | "address"
    | "route"
    | "nexthop"
    | "rule"
    | "neighbour"
    | "fou"
    | "nftables"
    | "sysctl";
  readonly tunnel: string | null;
  readonly what: string;
  /** Of a change: what is there now, where the words for it are others. */
  readonly was?: string;
}

/** In the order in which they are carried out. */
export function plannedSteps(change: Change): PlannedStep[] {
  return [
    ...change.gateBefore.map(gateStep),
    ...change.steps.map(kernelStep),
    ...change.gateAfter.map(gateStep),
  ];
}

export function inWords(change: Change): readonly string[] {
  return plannedSteps(change).map(({ action, what }) => `${action} ${what}`);
}

function kernelStep({ action, resource, previous }: Step): PlannedStep {
  const { object, tunnel } = resource;
  const was = previous && describe(previous);
  return inWordsOf({ action, object, tunnel, what: describe(resource) }, was);
}

function gateStep({ action, object, set, tunnel, previous }: NftChange): PlannedStep {
  const was = previous && describeObject(previous, set);
  return inWordsOf({ action, object: "nftables", tunnel, what: describeObject(object, set) }, was);
}

function inWordsOf(step: PlannedStep, was: string | undefined): PlannedStep {
  const told = step.action === "change" && was !== undefined && was !== step.what;
  return told ? { ...step, was } : step;
}

export function isEmpty(change: Change): boolean {
  return change.gateBefore.length + change.steps.length + change.gateAfter.length === 0;
}
