/** ed25519, by libsodium, behind the three calls that we need: tests and other schemes can stand in for it. */
import sodium from "libsodium-wrappers";

/** Bytes of an ed25519 seed (RFC 8032, section 5.1.5: the private key), and of a public key. */
export const keyLength = 32;
/** Bytes of a signature: a point R (32), then a scalar S (32, little-endian). */
export const signatureLength = 64;

export interface Signatures {
  /** `seed` is 32 bytes; throws for another length. */
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array;
  /** Never throws: a signature or key of a wrong length is just not valid. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  /** The 32-byte public key of a 32-byte seed. */
  publicKey(seed: Uint8Array): Uint8Array;
  /** 32 bytes that only the holders of this seed and of that key's can know; undefined: it is no key. */
  agree(seed: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
}

/** libsodium compiles its WebAssembly asynchronously, once; after that every call is synchronous. */
export async function loadSignatures(): Promise<Signatures> {
  await sodium.ready;
  return {
    sign(message, seed) {
      const pair = sodium.crypto_sign_seed_keypair(seed);
      const signature = sodium.crypto_sign_detached(message, pair.privateKey);
      sodium.memzero(pair.privateKey);
      return signature;
    },
    verify(signature, message, publicKey) {
      if (signature.length !== signatureLength || publicKey.length !== keyLength) return false;
      return sodium.crypto_sign_verify_detached(signature, message, publicKey);
    },
    publicKey(seed) {
      const pair = sodium.crypto_sign_seed_keypair(seed);
      sodium.memzero(pair.privateKey);
      return pair.publicKey;
    },
    agree,
  };
}

/** X25519 (RFC 7748) of both keys, as libsodium maps them, hashed with their public halves in order. */
function agree(seed: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const pair = sodium.crypto_sign_seed_keypair(seed);
  const own = sodium.crypto_sign_ed25519_sk_to_curve25519(pair.privateKey);
  try {
    const other = sodium.crypto_sign_ed25519_pk_to_curve25519(publicKey);
    const shared = sodium.crypto_scalarmult(own, other);
    const both = [Buffer.from(pair.publicKey), Buffer.from(publicKey)];
    const message = Buffer.concat([...both.sort((a, b) => a.compare(b)), pairing]);
    return sodium.crypto_generichash(keyLength, message, shared);
  } catch {
    // No point of the curve, or one of small order.
    return undefined;
  } finally {
    sodium.memzero(own);
    sodium.memzero(pair.privateKey);
  }
}

/** What these bytes are for: nothing else is ever made of them. */
const pairing = Buffer.from("ipipoud pair 1");

/**
 * The order of the base point, 2^252 + 27742317777372353535851937790883648493, little-endian: RFC 8032,
 * section 5.1.
 */
const groupOrder = Buffer.from(
  "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
  "hex",
);

/**
 * Whether the scalar S of a signature is below the group's order. Verification demands it anyway
 * (RFC 8032, section 5.1.7); asked first, it spares 100 µs for 15 of 16 packets of random bytes.
 */
export function scalarInRange(signature: Uint8Array): boolean {
  for (let i = keyLength - 1; i >= 0; i--) {
    const byte = signature[keyLength + i] ?? 0xff;
    const limit = groupOrder[i] ?? 0;
    if (byte !== limit) return byte < limit;
  }
  return false;
}
