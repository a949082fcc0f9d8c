/**
 * Authentication, protocol 1 (ipipou 0.1): the payload of one UDP packet, sent between the tunnel's own
 * outer ports.
 *
 * | scheme | payload |
 * | --- | --- |
 * | key | signature (64), time (5, big-endian seconds since 1970), salt (4) |
 * | token | the token's bytes |
 * | none | empty |
 *
 * What is signed is everything after the signature, then the secret, whose bytes are never sent.
 */
import { timingSafeEqual } from "node:crypto";
import { type Signatures, scalarInRange, signatureLength } from "./signatures.ts";

export const timeLength = 5;
export const saltLength = 4;
/** Bytes of the payload that we send. */
export const keyPayloadLength = signatureLength + timeLength + saltLength;
/** Longer ones verify too; this is as far as ipipou 0.1's rules let them through. */
export const longestKeyPayload = 168;

/** A payload that has the form of a key's proof; its signature has not been verified. */
export interface KeyProof {
  readonly signature: Uint8Array;
  /** Seconds since 1970, as the sender's clock says. */
  readonly time: number;
  /** Everything after the time, in hexadecimal: with the time it tells one packet from a copy. */
  readonly salt: string;
  /** Everything after the signature. */
  readonly signed: Uint8Array;
}

export interface KeyProofParts {
  /** ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** May be empty. */
  readonly secret: Uint8Array;
  /** Seconds since 1970; below 2^40. */
  readonly time: number;
  /** 4 bytes, fresh for every packet. */
  readonly salt: Uint8Array;
}

/** The 73 bytes that prove a key. Throws RangeError for a time or a salt that does not fit. */
export function buildKeyProof(parts: KeyProofParts, signatures: Pick<Signatures, "sign">): Buffer {
  if (parts.salt.length !== saltLength) throw new RangeError("a salt has 4 bytes");
  const payload = Buffer.alloc(keyPayloadLength);
  payload.writeUIntBE(parts.time, signatureLength, timeLength);
  payload.set(parts.salt, signatureLength + timeLength);
  const signed = payload.subarray(signatureLength);
  payload.set(signatures.sign(Buffer.concat([signed, parts.secret]), parts.seed));
  return payload;
}

/** undefined for whatever no signer can have made: a length out of range, a scalar not below the order. */
export function parseKeyProof(payload: Uint8Array): KeyProof | undefined {
  if (payload.length < keyPayloadLength || payload.length > longestKeyPayload) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const signature = bytes.subarray(0, signatureLength);
  if (!scalarInRange(signature)) return undefined;
  return {
    signature,
    time: bytes.readUIntBE(signatureLength, timeLength),
    salt: bytes.toString("hex", signatureLength + timeLength),
    signed: bytes.subarray(signatureLength),
  };
}

/** Costs 100 µs: ask {@link scalarInRange} (as parsing does) and the replay mark first. */
export function verifyKeyProof(
  proof: KeyProof,
  publicKey: Uint8Array,
  secret: Uint8Array,
  signatures: Signatures,
): boolean {
  return signatures.verify(proof.signature, Buffer.concat([proof.signed, secret]), publicKey);
}

/** Whether a payload is this token; takes equally long whatever the bytes are. */
export function isToken(payload: Uint8Array, token: Uint8Array): boolean {
  return payload.length === token.length && timingSafeEqual(payload, token);
}
