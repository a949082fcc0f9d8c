/**
 * The two ends of an authentication in protocol 1, for every scheme: what we send to prove ourselves,
 * and what becomes of what a peer sent. Cheap checks come before the one that costs 100 µs.
 */
import type { Identity, PeerConfig } from "../config/model.ts";
import type { Secret } from "../config/secret.ts";
import { buildKeyProof, isToken, parseKeyProof, verifyKeyProof } from "./protocol1.ts";
import { judge, type ReplayMark } from "./replay.ts";
import type { Signatures } from "./signatures.ts";

/** The UDP payload that proves us. `now` in milliseconds since 1970, `salt` 4 fresh bytes. */
export function buildProof(
  identity: Identity,
  secret: Secret,
  now: number,
  salt: Uint8Array,
  signatures: Signatures,
): Buffer {
  switch (identity.kind) {
    case "key": {
      const time = Math.floor(now / 1000);
      const parts = { seed: identity.seed.reveal(), secret: secret.reveal(), time, salt };
      return buildKeyProof(parts, signatures);
    }
    case "token":
      return Buffer.from(identity.token.reveal());
    case "heartbeat":
      return Buffer.from(identity.secret.reveal());
    case "none":
      return Buffer.alloc(0);
  }
}

/** What a peer is to prove, and how. */
export type Expected = Pick<PeerConfig, "proof" | "secret" | "replay" | "maxClockSkew">;

export type Outcome =
  /** It is this peer; `mark` is to be kept. */
  | { readonly verdict: "proven"; readonly mark: ReplayMark | undefined }
  /** It cannot be this peer: try the next. `verified` says whether a verification was spent. */
  | { readonly verdict: "other"; readonly verified: boolean }
  /** It is this peer's signature, but not a fresh one. */
  | { readonly verdict: "refused"; readonly verified: boolean; readonly reason: string };

/**
 * Judges one payload for one peer. A packet that is not fresh is verified only when `explain` is set
 * (spend it on a budget: it tells "your clock is wrong" from a stranger's junk); otherwise it is "other".
 */
export function judgeProof(
  payload: Uint8Array,
  expected: Expected,
  mark: ReplayMark | undefined,
  now: number,
  signatures: Signatures,
  explain: boolean,
): Outcome {
  const { proof, secret, replay, maxClockSkew } = expected;
  if (proof.kind === "token") {
    return isToken(payload, proof.token.reveal())
      ? { verdict: "proven", mark }
      : { verdict: "other", verified: false };
  }
  // It comes to a port of its own.
  if (proof.kind === "heartbeat") return { verdict: "other", verified: false };
  if (proof.kind === "none") {
    return payload.length === 0
      ? { verdict: "proven", mark }
      : { verdict: "other", verified: false };
  }
  const parsed = parseKeyProof(payload);
  if (parsed === undefined) return { verdict: "other", verified: false };
  const judgement = judge(mark, parsed, now, { policy: replay, maxClockSkew });
  if (judgement.verdict !== "fresh" && !explain) return { verdict: "other", verified: false };
  if (!verifyKeyProof(parsed, proof.publicKey, secret.reveal(), signatures)) {
    return { verdict: "other", verified: true };
  }
  return judgement.verdict === "fresh"
    ? { verdict: "proven", mark: judgement.mark }
    : { verdict: "refused", verified: true, reason: judgement.reason };
}
