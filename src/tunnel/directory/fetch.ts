/**
 * One text over HTTP or HTTPS from somebody who may be slow, large, broken or hostile. Redirects, time and size
 * have limits, and nothing of what came but the text itself is kept.
 */
import { readFile } from "node:fs/promises";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { networkWords } from "./network-words.ts";

const MOST_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface FetchOptions {
  readonly url: string;
  /** Certificates (PEM) of those who may vouch for the host, in place of the system's. */
  readonly caFile: string | undefined;
  /** Milliseconds for everything. */
  readonly timeout: number;
  /** Bytes. */
  readonly largest: number;
  /** What the last answer called itself: the same again is not sent. */
  readonly known: Validators | undefined;
}

export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export type Fetched =
  | { readonly kind: "same" }
  | { readonly kind: "text"; readonly text: string; readonly validators: Validators };

/** Rejects with an Error whose words are the same each time for the same fault. */
export async function fetchText(options: FetchOptions): Promise<Fetched> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), options.timeout);
  try {
    const ca = options.caFile === undefined ? undefined : await readCertificates(options.caFile);
    return await follow(options, ca, end.signal);
  } catch (error) {
    if (end.signal.aborted) {
      throw new Error(`no whole answer within ${options.timeout / 1000} s`, { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(timer);
    // Whatever is still open.
    end.abort();
  }
}

async function follow(
  options: FetchOptions,
  ca: Buffer | undefined,
  signal: AbortSignal,
): Promise<Fetched> {
  let url = new URL(options.url);
  for (let redirects = 0; ; redirects++) {
    const response = await ask(url, options, ca, signal);
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) {
      const taken = await take(response, options.largest);
      // One that says no length ends where its connection does, also when we end that.
      signal.throwIfAborted();
      return taken;
    }
    response.destroy();
    if (statusCode === 304 && options.known !== undefined) return { kind: "same" };
    if (!REDIRECTS.has(statusCode)) throw new Error(`it answers with status ${statusCode}`);
    if (redirects === MOST_REDIRECTS) throw new Error(`more than ${MOST_REDIRECTS} redirects`);
    url = target(url, headers.location);
  }
}

function target(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Error("a redirect that leads nowhere");
  }
  const to = new URL(location, from.href);
  const secure = to.protocol === "https:";
  if (!secure && to.protocol !== "http:") throw new Error("a redirect to something else than HTTP");
  if (!secure && from.protocol === "https:") throw new Error("a redirect from HTTPS to plain HTTP");
  return to;
}

async function ask(
  url: URL,
  { known }: FetchOptions,
  ca: Buffer | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (known?.etag !== undefined) headers["If-None-Match"] = known.etag;
  else if (known?.lastModified !== undefined) headers["If-Modified-Since"] = known.lastModified;
  const options: RequestOptions = { headers, signal, agent: false };
  // Loaded when they are needed: most daemons never are.
  const request: ClientRequest =
    url.protocol === "https:"
      ? (await import("node:https")).request(url, { ...options, ca })
      : (await import("node:http")).request(url, options);
  return await new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", (error) => reject(inWords(error)));
    request.end();
  });
}

async function take(response: IncomingMessage, largest: number): Promise<Fetched> {
  const tooLarge = new Error(`more than ${largest >> 20} MiB`);
  const { etag, "last-modified": lastModified, "content-length": length } = response.headers;
  if (Number(length) > largest) {
    response.destroy();
    throw tooLarge;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > largest) throw tooLarge;
      chunks.push(chunk);
    }
  } catch (error) {
    response.destroy();
    throw error === tooLarge ? error : inWords(error);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return { kind: "text", text, validators: { etag, lastModified } };
}

function inWords(error: unknown): Error {
  return new Error(networkWords(error).words, { cause: error });
}

async function readCertificates(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw new Error(`its caFile ${path} can't be read (${code})`, { cause: error });
  }
}
