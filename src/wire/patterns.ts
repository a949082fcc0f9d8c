/**
 * What an authentication looks like from outside, as numeric tests that the queue's native side runs on
 * every packet before any of our code does: junk costs no wake-up. They never refuse what could verify.
 */
import type { PeerConfig } from "../config/model.ts";
import { keyPayloadLength, longestKeyPayload } from "./protocol1.ts";
import { replyLength } from "./reply.ts";
import { signatureLength } from "./signatures.ts";

/** A big-endian field of the UDP payload: passes when min ≤ value ≤ max. */
export interface FieldTest {
  /** Bytes from the start of the payload. */
  readonly offset: number;
  /** Bytes. */
  readonly width: number;
  readonly min: number;
  readonly max: number;
}

/** One kind of payload that is worth a look; several are alternatives. */
export interface PayloadPattern {
  /** Destination port. */
  readonly port: number;
  readonly minLength: number;
  readonly maxLength: number;
  readonly tests: readonly FieldTest[];
}

/**
 * The last byte of a signature is the top of its scalar, which lies below 2^252 + 2^125: only one honest
 * signature in 2^127 has the 0x10 that the full check allows there, and it is sent again with another salt.
 */
const scalarTest: FieldTest = { offset: signatureLength - 1, width: 1, min: 0, max: 0x0f };

/**
 * The top byte of the time: 0 until 2106. Not tighter, so that a sender whose clock is years off is
 * refused with a word about clocks, and the tests never have to be renewed.
 */
const timeTest: FieldTest = { offset: signatureLength, width: 1, min: 0, max: 0 };

/** The patterns of all who are waited for on one port; each kind once. */
export function patternsFor(
  port: number,
  waiting: readonly Pick<PeerConfig, "proof" | "replay">[],
): PayloadPattern[] {
  const patterns = new Map<string, PayloadPattern>();
  const lengths = new Set<number>();
  for (const { proof, replay } of waiting) {
    if (proof.kind === "heartbeat") continue;
    // There may be 100,000 tokens, of few lengths.
    const length = proof.kind === "token" ? proof.token.length : undefined;
    if (length !== undefined && lengths.has(length)) continue;
    if (length !== undefined) lengths.add(length);
    const pattern = patternOf(port, proof, replay !== "off");
    patterns.set(JSON.stringify(pattern), pattern);
  }
  return [...patterns.values()];
}

/** The patterns of what peers that are dialled from one port may answer. */
export function replyPatternsFor(
  port: number,
  dialled: readonly Pick<PeerConfig, "proof" | "identity" | "replay">[],
): PayloadPattern[] {
  const patterns = new Map<string, PayloadPattern>();
  for (const { proof, identity, replay } of dialled) {
    const length = replyLength({ proof, identity });
    if (length === undefined) continue;
    // Reversed bytes have no fields: by length alone.
    const signed = proof.kind === "key" ? patternOf(port, proof, replay !== "off").tests : [];
    const pattern = { port, minLength: length, maxLength: length, tests: signed };
    patterns.set(JSON.stringify(pattern), pattern);
  }
  return [...patterns.values()];
}

/** At the ports of those who prove themselves by heartbeats: whatever the gate has let through. */
export function heartbeatPatterns(waiting: readonly Pick<PeerConfig, "proof">[]): PayloadPattern[] {
  const ports = waiting.flatMap(({ proof }) => (proof.kind === "heartbeat" ? [proof.port] : []));
  return [...new Set(ports)].map((port) => ({
    ...{ port, minLength: 0, maxLength: longestHeartbeat, tests: [] },
  }));
}

/** Too long ones get a word as well. */
const longestHeartbeat = 1400;

function patternOf(port: number, proof: PeerConfig["proof"], timed: boolean): PayloadPattern {
  switch (proof.kind) {
    case "key":
      return {
        port,
        minLength: keyPayloadLength,
        maxLength: longestKeyPayload,
        tests: timed ? [scalarTest, timeTest] : [scalarTest],
      };
    case "token":
      // By length alone: a token's bytes belong into no other structure than a Secret.
      return { port, minLength: proof.token.length, maxLength: proof.token.length, tests: [] };
    case "none":
    case "heartbeat":
      return { port, minLength: 0, maxLength: 0, tests: [] };
  }
}
