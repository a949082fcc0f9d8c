/** Fresh ed25519 keys in the form the configuration takes. */
import { generateKeyPairSync } from "node:crypto";

export interface KeyPair {
  /** Seed, 32 bytes, base64: `privateKey`. */
  readonly privateKey: string;
  /** 32 bytes, base64: `publicKey`. */
  readonly publicKey: string;
}

export function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  // The raw key is the tail of its DER form, RFC 8410.
  const tail = (der: Buffer): string => der.subarray(-32).toString("base64");
  return {
    privateKey: tail(privateKey.export({ format: "der", type: "pkcs8" })),
    publicKey: tail(publicKey.export({ format: "der", type: "spki" })),
  };
}
