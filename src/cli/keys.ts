/** Keys in the form of `wg genkey` and `wg pubkey`: base64 of 32 bytes, here an ed25519 seed and its public key. */
import { randomBytes } from "node:crypto";
import { exitCode, Failure } from "../net/failure.ts";
import { keyLength, loadSignatures } from "../wire/signatures.ts";

/**
 * A key that others could read is no key. The shell has made the file already, so nothing is written to it.
 * @throws Failure (usage)
 */
export function keepPrivate(outIsPublicFile: boolean): void {
  if (!outIsPublicFile) return;
  const what = "others may read the file that this key would be written to: it stays empty";
  throw new Failure(exitCode.usage, what, "`rm` it, then `(umask 077; ipipoud keygen > FILE)`");
}

export function generateKey(): string {
  return randomBytes(keyLength).toString("base64");
}

/** `text` is a whole input: one key, with or without a line break. Throws a {@link Failure} (usage). */
export async function publicKeyOf(text: string): Promise<string> {
  const key = text.trim();
  // 43 characters hold 258 bits: whoever writes the last two as something else meant another key.
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(key)) {
    const mend = "it is 32 bytes in base64, as `ipipoud keygen` prints them";
    throw new Failure(exitCode.usage, "standard input holds no private key", mend);
  }
  const signatures = await loadSignatures();
  return Buffer.from(signatures.publicKey(Buffer.from(key, "base64"))).toString("base64");
}
