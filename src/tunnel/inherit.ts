/** What a peer keeps when the configuration is read anew. */
import { isDeepStrictEqual } from "node:util";
import type { PeerConfig, Proof } from "../config/model.ts";
import type { Secret } from "../config/secret.ts";
import type { Peer, Peers } from "./peers.ts";

/**
 * Hands on what is remembered of each peer that is in both. Gives those who must prove themselves anew,
 * whatever the kernel still holds of them: another proof is another peer, and what a peer had not proven
 * yesterday (or was made to forget) it has not today, even if an id that was another's falls to it.
 */
export function inherit(next: Peers, former: Peers): ReadonlySet<Peer> {
  const strangers = new Set<Peer>();
  for (const peer of next.all()) {
    const before = former.get(peer.key);
    if (before?.wanted === undefined) strangers.add(peer);
    if (before === undefined) continue;
    // A mark belongs to the key: whatever else changes, what was taken once is not taken again.
    if (sameProof(peer.config.proof, before.config.proof)) {
      peer.mark = before.mark;
      peer.seenAt = before.seenAt;
    }
    if (!provesTheSame(peer.config, before.config)) {
      strangers.add(peer);
      continue;
    }
    peer.lastAuthentication = before.lastAuthentication;
    peer.answered = before.answered;
    peer.expired = before.expired;
  }
  return strangers;
}

/** Whether a proof that was good for one is good for the other. */
function provesTheSame(one: PeerConfig, other: PeerConfig): boolean {
  return (
    one.role === other.role &&
    one.pinAddress === other.pinAddress &&
    one.pinPort === other.pinPort &&
    isDeepStrictEqual(one.endpoint, other.endpoint) &&
    sameSecret(one.secret, other.secret) &&
    sameProof(one.proof, other.proof)
  );
}

function sameProof(one: Proof, other: Proof): boolean {
  if (one.kind === "key" && other.kind === "key") {
    return Buffer.compare(one.publicKey, other.publicKey) === 0;
  }
  if (one.kind === "token" && other.kind === "token") return sameSecret(one.token, other.token);
  if (one.kind === "heartbeat" && other.kind === "heartbeat") {
    return one.port === other.port && sameSecret(one.secret, other.secret);
  }
  return one.kind === other.kind;
}

/** Both are our own files: nobody measures how long this takes. */
function sameSecret(one: Secret, other: Secret): boolean {
  return one.revealText() === other.revealText();
}
