/** Why the gate does not let a packet in, and what to do about it. Pure. */

import type { PeerConfig } from "../../config/model.ts";
import { formatEndpoint, formatPrefix } from "../../net/address.ts";
import { EVERYBODY } from "../nftables/names.ts";
import type { Gated } from "./gate.ts";
import { isClock, isLimit } from "./gate-steps.ts";
import type { Incoming, Scene, Verdict } from "./model.ts";
import type { Who } from "./who.ts";
import {
  changedByOthers,
  dropped,
  lasting,
  noProof,
  notReached,
  PROVE,
  type Reason,
} from "./words.ts";

export function closedTo(scene: Scene, who: Who, incoming: Incoming, gated: Gated): Verdict {
  switch (gated.fate) {
    case "queue":
      return queued(scene, incoming, gated.queue ?? 0);
    case "drop":
      return dropped(...reason(scene, who, incoming, gated.chain ?? ""));
    default:
      return changedByOthers(gated.chain);
  }
}

function queued({ queues }: Scene, { packet }: Incoming, number: number): Verdict {
  if (queues !== undefined && !queues.some((queue) => queue.number === number)) {
    return dropped(`nobody holds queue ${number}`, "start ipipoud: without it nobody new gets in");
  }
  const asked =
    packet === "answer" ? "whether this answers what it sent" : "whether this is a proof";
  const mend = packet === "proof" ? "`ipipoud events` tells what it says" : null;
  return { outcome: "queued", verdict: `queued: the daemon is asked ${asked}`, mend };
}

function reason(scene: Scene, who: Who, incoming: Incoming, chain: string): Reason {
  const { packet, from } = incoming;
  if (packet === "protocol 4") {
    return ["bare protocol 4 is let in from nobody but other people's devices", null];
  }
  if (isLimit(chain)) {
    const all = !scene.limits.limited.has(from.address) && scene.limits.limited.has(EVERYBODY);
    const whose = all ? "strangers together are" : `${from.address} is`;
    const key = all ? "rateTotal" : "ratePerSource";
    return [
      `${whose} above the limit just now`,
      `it passes within a second of the flood's end; \`queue.${key}\` sets the limit`,
    ];
  }
  if (packet === "data") return ofData(who, incoming);
  if (isClock(chain)) {
    return ["its time is far from this host's", "compare the clocks of both sides"];
  }
  if (packet === "junk") {
    return ["neither data of a proven peer nor as long as a proof", null];
  }
  return [
    "nothing of this length is awaited from there",
    "compare both sides' ways of proof (publicKey, token, auth)",
  ];
}

/** Whose endpoint is it, and whose inner source. */
function ofData(who: Who, { tunnel, from, source, anyPort }: Incoming): Reason {
  const there = anyPort ? from.address : formatEndpoint(from);
  const here = who.at(tunnel, from);
  const owner = source === undefined ? undefined : who.ownerOf(source, tunnel);
  const [first] = here;
  if (first !== undefined) {
    const names = here.map(({ peer }) => peer.name).join(" and ");
    const whose = owner?.peer === undefined ? "nobody's" : `${owner.peer.name}'s`;
    return [
      `${names} stands at ${there}, but inner source ${source} is ${whose}`,
      `send from ${allowed(first.peer)}, or add it to ${first.peer.name}'s allowedIPs`,
    ];
  }
  const peer = owner?.peer ?? (tunnel.peers.length === 1 ? tunnel.peers[0] : undefined);
  if (peer === undefined) {
    return [`nobody has proven himself from ${there}`, PROVE];
  }
  const standing = who.of(tunnel, peer);
  if (standing === undefined && peer.role !== "wait") {
    return notReached(peer);
  }
  if (standing === undefined) {
    return [`${noProof(peer)}${lasting(peer)}`, PROVE];
  }
  if (peer.role !== "wait") {
    const where = formatEndpoint(standing.endpoint);
    return [`${peer.name} is at ${where}, not at ${there}`, null];
  }
  return [
    `${peer.name} is proven at ${formatEndpoint(standing.endpoint)}, not at ${there}`,
    `if it has moved: ${PROVE}`,
  ];
}

function allowed({ allowedIPs }: PeerConfig): string {
  return allowedIPs?.slice(0, 3).map(formatPrefix).join(", ") ?? "any address";
}
