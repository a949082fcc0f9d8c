/**
 * A token is a whole UDP payload, and the gate has to tell it from a tunnel's data. These rules are the
 * complement of the gate's (src/apply/nftables): what they let pass is never taken for data from the
 * endpoint of its own peer, in whichever form that peer is written.
 */
import { isHost, type Prefix } from "../net/address.ts";
import type { Secret } from "./secret.ts";

const ipv4Header = 20;
/** Of the source address in an IPv4 header. */
const sourceOffset = 12;
const sourceEnd = 16;
/** Of the total length. */
const lengthOffset = 2;

/**
 * What a masked accept demands of data: version 4, and a total length that is the payload's. No network is
 * asked for, so that it also holds at an endpoint that another peer has.
 */
export function looksLikePacket(token: Secret): boolean {
  return (
    token.length >= ipv4Header &&
    token.at(0) >> 4 === 4 &&
    ((token.at(lengthOffset) << 8) | token.at(lengthOffset + 1)) === token.length
  );
}

/** A peer with single addresses is let in by one look-up, which asks for the inner source and no more. */
export function passesForData(token: Secret, allowedIPs: readonly Prefix[] | undefined): boolean {
  if (token.length < sourceEnd) return false;
  if (allowedIPs === undefined || !allowedIPs.every(isHost)) return false;
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => token.at(sourceOffset + i));
  const source = `${a}.${b}.${c}.${d}`;
  return allowedIPs.some(({ address }) => source === address);
}
