/** Bob Jenkins' hash of a register, scaled to a modulus (nft_hash.c; include/linux/jhash.h). */
import { attr, table, u32be } from "../../../netlink/attributes.ts";
import {
  NFT_HASH_JENKINS,
  NFTA_HASH_DREG,
  NFTA_HASH_LEN,
  NFTA_HASH_MODULUS,
  NFTA_HASH_OFFSET,
  NFTA_HASH_SEED,
  NFTA_HASH_SREG,
  NFTA_HASH_TYPE,
} from "../constants.ts";
import { dataRegister } from "../registers.ts";
import { required } from "../required.ts";
import type { ExpressionCodec } from "./codec.ts";

export interface Hash {
  readonly kind: "hash";
  readonly from: number;
  readonly to: number;
  /** Bytes that are hashed. */
  readonly length: number;
  readonly seed: number;
}

/** The largest: nearly all of the 32 bits. */
const MODULUS = 0xffff_ffff;

const HASH = table({
  from: attr(NFTA_HASH_SREG, dataRegister, "NFTA_HASH_SREG"),
  to: attr(NFTA_HASH_DREG, dataRegister, "NFTA_HASH_DREG"),
  length: attr(NFTA_HASH_LEN, u32be, "NFTA_HASH_LEN"),
  modulus: attr(NFTA_HASH_MODULUS, u32be, "NFTA_HASH_MODULUS"),
  seed: attr(NFTA_HASH_SEED, u32be, "NFTA_HASH_SEED"),
  offset: attr(NFTA_HASH_OFFSET, u32be, "NFTA_HASH_OFFSET"),
  type: attr(NFTA_HASH_TYPE, u32be, "NFTA_HASH_TYPE"),
});

export const hash: ExpressionCodec<Hash> = {
  name: "hash",
  encode: ({ from, to, length, seed }) =>
    HASH.encode({ from, to, length, modulus: MODULUS, seed, type: NFT_HASH_JENKINS }),
  decode: (data) => {
    const { from, to, length, modulus, seed, offset = 0, type } = HASH.decode(data);
    // The variety that we never write.
    if (type !== NFT_HASH_JENKINS || modulus !== MODULUS || offset !== 0) return undefined;
    return {
      kind: "hash",
      from: required(from, "NFTA_HASH_SREG"),
      to: required(to, "NFTA_HASH_DREG"),
      length: required(length, "NFTA_HASH_LEN"),
      seed: seed ?? 0,
    };
  },
};

/** What the expression leaves in its register for these bytes. */
export function hashOf(data: Uint8Array, seed: number): number {
  return Number((BigInt(jhash(data, seed)) * BigInt(MODULUS)) >> 32n);
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const INITIAL = 0xdead_beef;

function jhash(data: Uint8Array, seed: number): number {
  let a = (INITIAL + data.length + seed) | 0;
  let b = a;
  let c = a;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
  let at = 0;
  for (; data.length - at > 12; at += 12) {
    a = (a + view.getUint32(at, little)) | 0;
    b = (b + view.getUint32(at + 4, little)) | 0;
    c = (c + view.getUint32(at + 8, little)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  // The rest is read byte by byte, the same on every machine.
  const rest = new Uint8Array(12);
  rest.set(data.subarray(at));
  if (at === data.length) return c >>> 0;
  const words = new DataView(rest.buffer);
  a = (a + words.getUint32(0, true)) | 0;
  b = (b + words.getUint32(4, true)) | 0;
  c = (c + words.getUint32(8, true)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}
