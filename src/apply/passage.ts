/**
 * A direct tunnel becomes translated while its packets flow. Pure.
 *
 * The gate and the device can't change at one moment, so everything else is there before: between the
 * device's change and the gate's lies one message, and what comes in just then is lost.
 */
import type { Step } from "../plan/step.ts";
import type { Change } from "./change.ts";
import { writesDestination } from "./nftables/names.ts";
import type { NftChange } from "./nftables/nft-change.ts";

export function inPassage(
  gate: readonly NftChange[],
  steps: readonly Step[],
): readonly [Change, Change] {
  const turn = gate.filter(({ object }) =>
    writesDestination(object.kind === "element" ? object.set : object.name),
  );
  const link = steps.filter(({ resource }) => resource.object === "link");
  return [
    {
      gateBefore: gate.filter((change) => !turn.includes(change)),
      steps: steps.filter((step) => !link.includes(step)),
      gateAfter: [],
    },
    { gateBefore: [], steps: link, gateAfter: turn },
  ];
}
