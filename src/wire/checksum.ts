/** The Internet checksum (RFC 1071). */

/** Of the bytes and what was summed before them. */
export function checksum(bytes: Uint8Array, before = 0): number {
  let sum = onesSum(bytes, before);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Big-endian 16-bit words, added up without folding: 64 kB stay below 2^31. */
export function onesSum(bytes: Uint8Array, before: number): number {
  let sum = before;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  }
  return sum;
}
