/**
 * A token is a whole UDP payload, and the gate has to tell it from a tunnel's data. These rules are the
 * complement of the gate's (src/apply/nftables): what they let pass is never taken for data from the
 * endpoint of its own peer, in whichever form that peer is written.
 */
import { addressBytes, isHost, type Prefix } from "../net/address.ts";

const ipv4Header = 20;
/** Of the source address in an IPv4 header. */
const sourceOffset = 12;
const sourceEnd = 16;

/**
 * What a masked accept demands of data: version 4, and a total length that is the payload's. No network is
 * asked for, so that it also holds at an endpoint that another peer has.
 */
export function looksLikePacket(token: Buffer): boolean {
  return (
    token.length >= ipv4Header &&
    token.readUInt8(0) >> 4 === 4 &&
    token.readUInt16BE(2) === token.length
  );
}

/** A peer with single addresses is let in by one look-up, which asks for the inner source and no more. */
export function passesForData(token: Buffer, allowedIPs: readonly Prefix[] | undefined): boolean {
  if (allowedIPs === undefined || !allowedIPs.every(isHost)) return false;
  if (token.length < sourceEnd) return false;
  const source = token.subarray(sourceOffset, sourceEnd);
  return allowedIPs.some(({ address }) => source.equals(addressBytes(address)));
}
