/** Authentications of protocol 1 without a daemon: made here, sent by an {@link Injector}. */
import { createPrivateKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { buildKeyProof } from "../../../src/wire/protocol1.ts";
import type { Signatures } from "../../../src/wire/signatures.ts";
import { udp } from "./packets.ts";
import { type Party, port, secret } from "./tunnels.ts";

export interface From {
  readonly address: string;
  readonly port: number;
}

/** What precedes the seed in a private key's DER form, RFC 8410. */
const derPrefix = Buffer.from("302e020100300506032b657004220420", "hex");

export class Prover {
  readonly #keys = new Map<string, KeyObject>();
  /** OpenSSL's: quicker than the daemon's, and another hand. */
  readonly #signatures: Pick<Signatures, "sign"> = {
    sign: (message, seed) => sign(null, message, this.#key(seed)),
  };

  /** The 73 bytes, with a fresh salt. @param ahead Seconds by which its clock is. */
  proof({ keys }: Party, ahead = 0): Buffer {
    const parts = {
      seed: Buffer.from(keys.privateKey, "base64"),
      secret: Buffer.from(secret),
      time: Math.floor(Date.now() / 1000) + ahead,
      salt: randomBytes(4),
    };
    return buildKeyProof(parts, this.#signatures);
  }

  /** The whole packet to the server. */
  packet(one: Party, from: From, destinationPort = port): Buffer {
    return toServer(from, this.proof(one), destinationPort);
  }

  #key(seed: Uint8Array): KeyObject {
    const name = Buffer.from(seed).toString("hex");
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const key = createPrivateKey({
      key: Buffer.concat([derPrefix, seed]),
      format: "der",
      type: "pkcs8",
    });
    this.#keys.set(name, key);
    return key;
  }
}

/** A UDP packet to the server's tunnel port. */
export function toServer(from: From, payload: Uint8Array, destinationPort = port): Buffer {
  const destination = "203.0.113.1";
  const sourcePort = from.port;
  return udp({ source: from.address, destination, sourcePort, destinationPort, payload });
}

/** Of an authentication's length, with a time that passes for fresh, and a signature of nobody. */
export function junkProof(): Buffer {
  const payload = randomBytes(73);
  payload[63] = 0x0f & (payload[63] ?? 0);
  payload.writeUIntBE(Math.floor(Date.now() / 1000), 64, 5);
  return payload;
}
