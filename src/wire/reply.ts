/**
 * What a peer that waits sends back once it has taken an authentication, and what the one that dialled makes
 * of it. Protocol 1 (ipipou 0.1's `--reply-on-auth-ok`): signed where both sides have keys, else the
 * request's own bytes in reverse, which only says that somebody has read it.
 */
import { timingSafeEqual } from "node:crypto";
import type { PeerConfig } from "../config/model.ts";
import { buildProof, judgeProof } from "./proof.ts";
import { keyPayloadLength } from "./protocol1.ts";
import type { ReplayMark } from "./replay.ts";
import type { Signatures } from "./signatures.ts";

type Answering = Pick<PeerConfig, "identity" | "proof" | "secret">;

/** Never longer than the request, which is what nobody can use to multiply a flood. */
export function buildReply(
  request: Uint8Array,
  { identity, proof, secret }: Answering,
  now: number,
  salt: Uint8Array,
  signatures: Signatures,
): Buffer {
  if (identity.kind === "key" && proof.kind === "key" && request.length >= keyPayloadLength)
    return buildProof(identity, secret, now, salt, signatures);
  return Buffer.from(request).reverse();
}

/** Bytes of the answers that a peer which we dial can give; undefined: we prove nothing, so it has none. */
export function replyLength({
  identity,
  proof,
}: Pick<Answering, "identity" | "proof">): number | undefined {
  if (identity.kind === "none" || identity.kind === "heartbeat") return undefined;
  if (proof.kind === "key" || identity.kind === "key") return keyPayloadLength;
  return identity.token.length;
}

export type Expecting = Pick<PeerConfig, "proof" | "secret" | "replay" | "maxClockSkew">;

export type Reply =
  /** It counts; `mark` is to be kept. */
  | { readonly verdict: "answer"; readonly mark: ReplayMark | undefined }
  | { readonly verdict: "other"; readonly reason: string };

/**
 * @param sent Payloads of our last authentications. More than one, because the answer to the one before may
 *   still be under way when another leaves.
 */
export function judgeReply(
  payload: Uint8Array,
  expecting: Expecting,
  sent: readonly Uint8Array[],
  mark: ReplayMark | undefined,
  now: number,
  signatures: Signatures,
): Reply {
  if (sent.length === 0) return { verdict: "other", reason: "an answer to what was never asked" };
  if (expecting.proof.kind !== "key") {
    return isReversed(payload, sent)
      ? { verdict: "answer", mark }
      : { verdict: "other", reason: foreign(payload) };
  }
  const outcome = judgeProof(payload, expecting, mark, now, signatures, true);
  switch (outcome.verdict) {
    case "proven":
      return { verdict: "answer", mark: outcome.mark };
    case "refused":
      return { verdict: "other", reason: `an answer that is not fresh: ${outcome.reason}` };
    case "other":
      return { verdict: "other", reason: unsigned(payload, sent) };
  }
}

function foreign(payload: Uint8Array): string {
  const reason = "an answer that is not to what we sent last";
  return payload.length === keyPayloadLength
    ? `${reason}: if it signs its answers, add its publicKey`
    : reason;
}

function unsigned(payload: Uint8Array, sent: readonly Uint8Array[]): string {
  return isReversed(payload, sent)
    ? "an answer without a signature: give it a privateKey and our public key, or remove publicKey here"
    : "an answer that its publicKey and our secret did not sign";
}

function isReversed(payload: Uint8Array, sent: readonly Uint8Array[]): boolean {
  return sent.some(
    (one) => payload.length === one.length && timingSafeEqual(payload, Buffer.from(one).reverse()),
  );
}
