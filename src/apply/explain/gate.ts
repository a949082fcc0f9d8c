/** A packet through the rules that the kernel has now. Pure. */
import type { Hex } from "../../kernel/nftables/data.ts";
import { addressFromBytes } from "../../net/address.ts";
import {
  type Fate,
  type MachineEvent,
  type MachinePacket,
  RulesMachine,
} from "../nftables/machine.ts";
import { EPOCHS, EVERYBODY, OVER } from "../nftables/names.ts";
import { gateSteps } from "./gate-steps.ts";
import type { ExplainStep, Scene } from "./model.ts";
import type { Who } from "./who.ts";

export interface Gated {
  readonly fate: Fate | undefined;
  /** As it leaves the gate. */
  readonly packet: MachinePacket;
  /** The last chain that it was in; undefined: none of ours looks at it. */
  readonly chain: string | undefined;
  readonly queue: number | undefined;
}

/** Which chains every packet of the host passes, and so say nothing about this one. */
const BASE_ONLY = 1;

export function throughGate(
  scene: Scene,
  who: Who,
  hook: "in" | "out",
  packet: MachinePacket,
  steps: ExplainStep[],
  { holdsPacket = true } = {},
): Gated {
  const { ruleset } = scene.observation;
  const objects = ruleset.kind === "ours" ? ruleset.objects : [];
  const events: MachineEvent[] = [];
  const machine = new RulesMachine(objects, { isOver: isOverNow(scene) });
  const { fate, packet: after } = machine.run(hook, packet, (event) => events.push(event));
  const chains = events.flatMap((event) => (event.kind === "chain" ? [event.name] : []));
  const untouched = chains.length <= BASE_ONLY && fate === "accept" && after === packet;
  if (untouched) steps.push({ step: "gate", what: absent(scene, hook) });
  else steps.push(...gateSteps(events, scene, who, holdsPacket));
  const queue = events.find((event) => event.kind === "queue")?.number;
  return { fate, packet: after, chain: untouched ? undefined : chains.at(-1), queue };
}

function absent({ configuration, observation }: Scene, hook: "in" | "out"): string {
  const { table } = configuration;
  switch (observation.ruleset.kind) {
    case "ours":
      return hook === "in"
        ? `no rule of table ip ${table} is about its destination`
        : "nothing has to be written into it";
    case "foreign":
      return `table ip ${table} is somebody else's`;
    default:
      return `there is no table ip ${table}`;
  }
}

/** The kernel notes who was above a rate; a look at impossible times is not noted, and seldom, as is one at what is above. */
function isOverNow({ limits }: Scene) {
  return (chain: string, key: Hex | undefined): boolean => {
    if (key === undefined) {
      return chain === EPOCHS || chain === OVER || limits.limited.has(EVERYBODY);
    }
    const address = addressFromBytes(Buffer.from(key, "hex"));
    return address !== undefined && limits.limited.has(address);
  };
}
