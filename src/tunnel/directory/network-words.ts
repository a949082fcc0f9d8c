/** Node's own words for what failed on the way name ports and pieces of certificates that differ from time to time. */

export interface NetworkWords {
  readonly words: string;
  /** Somebody was there, and could not show who they are. */
  readonly certificate: boolean;
}

export function networkWords(error: unknown): NetworkWords {
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") return { words: "no answer (unknown)", certificate: false };
  const known = WORDS[code];
  if (known !== undefined) return { words: known, certificate: false };
  const secured = SECURED.find(([codes]) => codes.test(code))?.[1];
  if (secured === undefined) return { words: `no answer (${code})`, certificate: false };
  return { words: secured.replace("CODE", code), certificate: true };
}

/** By OpenSSL's codes: what it is, and who mends it. An alert comes from the other end, which has seen ours. */
const SECURED: readonly (readonly [RegExp, string])[] = [
  [
    /ALERT_.*(CERTIFICATE|UNKNOWN_CA)/,
    "it wants a certificate of ours that it can trust (CODE): its operator gives one, and a store's certFile and keyFile show it",
  ],
  [
    /SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE/,
    "its certificate is not good (CODE): nobody whom we trust has signed it, caFile says whom",
  ],
  [
    /ALTNAME_INVALID|HOSTNAME_MISMATCH/,
    "its certificate is not good (CODE): it is for another name or address than the one that was asked",
  ],
  [
    /CERT_HAS_EXPIRED/,
    "its certificate is not good (CODE): it has to be renewed, or our clock is wrong",
  ],
  [/CERT_NOT_YET_VALID/, "its certificate is not good (CODE): our clock is wrong, or its maker's"],
  [/CERT|TLS|SSL/, "its certificate is not good (CODE)"],
];

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was cut",
  EPROTO: "it can't be agreed on TLS with it (EPROTO): does it speak that at this port?",
  EPIPE: "the connection was cut",
  ENOTFOUND: "its host has no address",
  EAI_AGAIN: "its host's name can't be resolved now",
};
