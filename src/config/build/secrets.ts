import { Complaint } from "../complaint.ts";
import { type ReadFailure, readSecretFile } from "../files.ts";
import type { Problems } from "../problems.ts";
import { readBase64, readKey } from "../schema/scalars.ts";
import { Secret } from "../secret.ts";
import type { Path } from "../source/document.ts";
import { looksLikePacket } from "../token.ts";

/** A secret and its sibling `xFile`, as a tunnel, a peer or a directory has them. */
export type SecretName = "privateKey" | "secret" | "token" | "tokenBase64" | "password";

type Mapping = { readonly [key in SecretName | `${SecretName}File`]?: string | undefined };

/** Not put together each time: a peer is asked for each of these. */
const inFile = {
  privateKey: "privateKeyFile",
  secret: "secretFile",
  token: "tokenFile",
  tokenBase64: "tokenBase64File",
  password: "passwordFile",
} as const satisfies { readonly [name in SecretName]: `${name}File` };

/** Whether there is such a secret, without reading it. */
export function hasSecret(mapping: Mapping, name: SecretName): boolean {
  return mapping[name] !== undefined || mapping[inFile[name]] !== undefined;
}

/**
 * The secret's value, from the text or from its file; undefined where there is none, or where it is
 * wrong and a problem tells so.
 */
export function takeSecret(
  mapping: Mapping,
  name: SecretName,
  path: Path,
  problems: Problems,
): Secret | undefined {
  const text = mapping[name];
  const file = mapping[inFile[name]];
  if (text !== undefined && file !== undefined) {
    const what = `both \`${name}\` and \`${name}File\``;
    problems.add([...path, inFile[name]], new Complaint(what, "remove one"), { at: "key" });
    return undefined;
  }
  if (file !== undefined) {
    const bytes = readSecretFile(file);
    const key = [...path, inFile[name]];
    if (isFailure(bytes)) {
      problems.add(key, bytes.complaint, { kind: bytes.kind });
      return undefined;
    }
    const value = decoders[name](new Secret(bytes, file));
    if (!(value instanceof Complaint)) return value;
    problems.add(key, new Complaint(`${file}: ${value.what}`, value.mend));
    return undefined;
  }
  if (text === undefined) return undefined;
  const value = decoders[name](new Secret(text));
  if (!(value instanceof Complaint)) return value;
  problems.add([...path, name], value);
  return undefined;
}

function isFailure(result: Buffer | ReadFailure): result is ReadFailure {
  return !Buffer.isBuffer(result);
}

/** From what a file or a text holds, which is the same, to the secret itself. */
const decoders: Readonly<Record<SecretName, (written: Secret) => Secret | Complaint>> = {
  privateKey: (written) => decoded(readKey(written.revealText()), written),
  secret: (written) =>
    written.length > 0
      ? written
      : new Complaint("an empty secret", "write one, or leave the key out"),
  password: (written) =>
    written.length > 0 ? written : new Complaint("an empty password", "write one"),
  token: checkToken,
  tokenBase64: (written) => {
    const token = decoded(readBase64(written.revealText()), written);
    return token instanceof Complaint ? token : checkToken(token);
  },
};

function decoded(bytes: Buffer | Complaint, { file }: Secret): Secret | Complaint {
  return bytes instanceof Complaint ? bytes : new Secret(bytes, file);
}

/** A token is a whole UDP payload, and must be told from an inner packet by its look alone. */
function checkToken(token: Secret): Secret | Complaint {
  if (token.length === 0) return new Complaint("an empty token", "write 1 to 1000 bytes");
  if (token.length > 1000) {
    return new Complaint(`a token of ${token.length} bytes`, "at most 1000");
  }
  return looksLikePacket(token)
    ? new Complaint("a token that looks like an IPv4 packet", "choose another one")
    : token;
}
