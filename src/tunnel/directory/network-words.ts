/** Node's own words for what failed on the way name ports and pieces of certificates that differ from time to time. */

export interface NetworkWords {
  readonly words: string;
  /** Somebody was there, and could not show who they are. */
  readonly certificate: boolean;
}

export function networkWords(error: unknown): NetworkWords {
  const { code } = error as { code?: unknown };
  const known = typeof code === "string" ? WORDS[code] : undefined;
  if (known !== undefined) return { words: known, certificate: false };
  const certificate = typeof code === "string" && /CERT|SELF_SIGNED|TLS|SSL/.test(code);
  const words = certificate
    ? `its certificate is not good (${code})`
    : `no answer (${code ?? "unknown"})`;
  return { words, certificate };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  ENOTFOUND: "its host has no address",
  EAI_AGAIN: "its host's name can't be resolved now",
};
