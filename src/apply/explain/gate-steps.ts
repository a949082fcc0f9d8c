/** What the machine saw, in the words of an operator who can look at the same sets with `nft`. Pure. */

import type { Element } from "../../kernel/nftables/objects.ts";
import { addressFromBytes, type Endpoint, formatEndpoint } from "../../net/address.ts";
import type { MachineEvent } from "../nftables/machine.ts";
import {
  CLOSED,
  destinationPortMap,
  EPOCHS,
  EVERYBODY,
  endpointsSet,
  guardSet,
  inPeerChain,
  knownSet,
  LONGER,
  NEWCOMERS,
  nodesSet,
  OVER,
  PLAIN,
  peersMap,
  RETURNING,
  realMap,
  STRANGERS,
  TUNNELS,
  tunnelIn,
} from "../nftables/names.ts";
import type { ExplainStep, Scene } from "./model.ts";
import { endsOf } from "./packet.ts";
import type { Who } from "./who.ts";

export function gateSteps(
  events: readonly MachineEvent[],
  scene: Scene,
  who: Who,
  holdsPacket: boolean,
): readonly ExplainStep[] {
  return events.flatMap((event) => stepOf(event, scene, who, holdsPacket) ?? []);
}

function stepOf(
  event: MachineEvent,
  scene: Scene,
  who: Who,
  holdsPacket: boolean,
): ExplainStep | undefined {
  switch (event.kind) {
    case "lookup":
      return lookupStep(event, who, holdsPacket);
    case "limit":
      return limitStep(event, scene);
    case "queue":
      return queueStep(event.number, scene);
    case "chain":
      return chainStep(event.name, who);
    case "write": {
      const { from, to } = endsOf(event.packet);
      return {
        step: "gate",
        what: `rewritten: ${formatEndpoint(from)} to ${formatEndpoint(to)}`,
      };
    }
    case "foreign":
      return {
        step: "gate",
        what: `chain ${event.chain} has what we never make: ${event.expression}`,
      };
    case "accept":
      return { step: "gate", what: `accepted in chain ${event.chain}` };
    case "drop":
      return { step: "gate", what: `dropped in chain ${event.chain}` };
  }
}

/** @param holdsPacket Else what stands in an inner source's place is none. */
function lookupStep(
  { set, key, element }: Extract<MachineEvent, { kind: "lookup" }>,
  who: Who,
  holdsPacket: boolean,
): ExplainStep | undefined {
  const bytes = Buffer.from(key, "hex");
  const found = element !== undefined;
  const has = found ? "has" : "does not have";
  const innerOf = (of: Uint8Array): string =>
    holdsPacket ? ` with inner source ${addressFromBytes(of)}` : "";
  const step = (what: string): ExplainStep => ({
    ...{ step: "gate", what, set },
    ...(element === undefined ? {} : { secondsLeft: secondsLeft(element) }),
  });
  if (tunnelIn(set, knownSet) !== undefined) {
    return step(`set ${set} ${has} ${senderOf(bytes)}${innerOf(bytes.subarray(8, 12))}`);
  }
  if (tunnelIn(set, nodesSet) !== undefined) {
    const from = addressFromBytes(bytes.subarray(0, 4));
    return step(`set ${set} ${has} ${from}${innerOf(bytes.subarray(4, 8))}`);
  }
  if (tunnelIn(set, peersMap) !== undefined) {
    if (!found) return step(`map ${set} does not have ${senderOf(bytes)}`);
    return step(`map ${set} has ${senderOf(bytes)}: ${peerNamed(element, who)}`);
  }
  if (tunnelIn(set, endpointsSet) !== undefined) {
    return found
      ? step(`set ${set} has ${senderOf(bytes)}: it has a rate of its own`)
      : step(`set ${set} does not have ${senderOf(bytes)}: a stranger`);
  }
  if (tunnelIn(set, destinationPortMap) !== undefined) {
    const port = typeof element?.data === "string" ? Number.parseInt(element.data, 16) : 0;
    const to = addressFromBytes(bytes);
    return step(
      found ? `map ${set}: ${to} has port ${port}` : `map ${set} does not have ${to}: no port`,
    );
  }
  if (tunnelIn(set, realMap) !== undefined && found) {
    const real = typeof element.data === "string" ? Buffer.from(element.data, "hex").join(".") : "";
    return step(`map ${set}: ${addressFromBytes(bytes)} stands for ${real}`);
  }
  if (tunnelIn(set, guardSet) !== undefined && found) {
    return step(`set ${set} has ${addressFromBytes(bytes)}: a peer's address`);
  }
  if (set === PLAIN) {
    const [from, to] = [bytes.subarray(0, 4), bytes.subarray(4, 8)].map(addressFromBytes);
    return step(`map ${set} ${has} ${from} to ${to}`);
  }
  if (set === TUNNELS && found) return step("it came out of a tunnel of ours");
  return undefined;
}

function peerNamed(element: Element, who: Who): string {
  const chain =
    typeof element.data === "object" && "chain" in element.data ? element.data.chain : "";
  const id = inPeerChain(chain)?.id;
  const name = id === undefined ? undefined : who.byId(id);
  return `${name ?? "a peer that the configuration does not have"} (chain ${chain})`;
}

/** Outer source and its port, at the front of a key. */
function senderOf(key: Buffer): string {
  const address = addressFromBytes(key.subarray(0, 4));
  if (address === undefined) return "?";
  const endpoint: Endpoint = { address, port: key.readUInt16BE(4) };
  return formatEndpoint(endpoint);
}

function secondsLeft({ timeout, expires }: Element): number | null {
  return timeout > 0 ? Math.round(expires ?? timeout) / 1000 : null;
}

function chainStep(name: string, who: Who): ExplainStep | undefined {
  const peer = inPeerChain(name);
  if (peer !== undefined) {
    const named = who.byId(peer.id) ?? "nobody";
    return { step: "gate", what: `chain ${name} compares the inner source with ${named}'s` };
  }
  switch (name) {
    case EPOCHS:
    case LONGER:
      return { step: "gate", what: `chain ${name} compares the time in it with today's` };
    case CLOSED:
      return { step: "gate", what: "its destination is a placeholder, which nobody outside names" };
    default:
      return undefined;
  }
}

function limitStep(
  { chain, over, key, limit }: Extract<MachineEvent, { kind: "limit" }>,
  { limits }: Scene,
): ExplainStep | undefined {
  const rate = `${limit.rate}/${limit.unit === 1 ? "s" : `${limit.unit} s`}`;
  if (!isLimit(chain) || chain === OVER) return undefined;
  if (key === undefined) {
    const left = limits.limited.get(EVERYBODY);
    const what = over
      ? `strangers together were above ${rate} within the last second`
      : `strangers together are not above ${rate}`;
    return { step: "limit", what, ...leftOf(left) };
  }
  const address = addressFromBytes(Buffer.from(key, "hex"));
  const left = address === undefined ? undefined : limits.limited.get(address);
  const what = over
    ? `${address} was above its ${rate} within the last second`
    : `${address} is not above its ${rate}`;
  return { step: "limit", what, ...leftOf(left) };
}

function leftOf(milliseconds: number | undefined): Pick<ExplainStep, "set" | "secondsLeft"> {
  return milliseconds === undefined ? {} : { set: "limited", secondsLeft: milliseconds / 1000 };
}

function queueStep(number: number, { queues }: Scene): ExplainStep {
  const state = queues?.find((one) => one.number === number);
  const step = (what: string): ExplainStep => ({ step: "queue", what: `queue ${number}: ${what}` });
  if (queues === undefined) return step("who holds it can't be seen by this user");
  if (state === undefined) return step("nobody holds it");
  return step(`a daemon holds it, ${state.waiting} waiting, ${state.dropped} lost so far`);
}

const LIMITS: ReadonlySet<string> = new Set([STRANGERS, RETURNING, NEWCOMERS, OVER]);

/** Chains in which a drop means that a limit is used up. */
export function isLimit(chain: string): boolean {
  return LIMITS.has(chain);
}

/** Chains in which a drop means that the time in a proof is far off. */
export function isClock(chain: string): boolean {
  return chain === EPOCHS || chain === LONGER;
}
