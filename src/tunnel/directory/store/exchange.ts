/**
 * Requests to one member of an etcd cluster, by its gateway: JSON over HTTP, so that a directory needs no gRPC.
 * An answer is a message, or a stream of them that ends when the member says so. Time and size have limits.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { networkWords } from "../network-words.ts";
import { faultOf, StoreFault } from "./fault.ts";
import { isMapping, type Mapping, strange } from "./messages.ts";

/** For a whole answer, or for the beginning of a stream. Milliseconds. */
const TIMEOUT = 5000;
/** A member that has vanished without a word is missed after this and some seconds. Milliseconds. */
const KEEPALIVE = 10_000;
/** Bytes of an answer, or of one message of a stream. */
const LARGEST = 16 * 1024 * 1024;

export interface MemberFiles {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface Question {
  /** Of the member. */
  readonly url: string;
  /** `kv/range` */
  readonly method: string;
  readonly body: Mapping;
  readonly token: string | undefined;
  readonly files: MemberFiles;
  readonly signal: AbortSignal;
}

export async function ask(question: Question): Promise<Mapping> {
  return await within(question, async (signal) => {
    const response = await open(question, signal);
    const text = await whole(response);
    const answer = parse(text, response.statusCode ?? 0);
    if (response.statusCode !== 200) throw faultOf(answer, response.statusCode ?? 0);
    return answer;
  });
}

/** Resolves when the member ends it without a reason. What `take` throws ends it, too. */
export async function follow(question: Question, take: (message: Mapping) => void): Promise<void> {
  const { signal } = question;
  const response = await within(question, async (beginning) => await open(question, beginning));
  if (response.statusCode !== 200) {
    const text = await within(question, async (reading) => {
      reading.addEventListener("abort", () => void response.destroy());
      return await whole(response);
    });
    throw faultOf(parse(text, response.statusCode ?? 0), response.statusCode ?? 0);
  }
  response.socket.setKeepAlive(true, KEEPALIVE);
  const end = (): void => void response.destroy();
  signal.addEventListener("abort", end);
  try {
    for await (const line of lines(response)) {
      const message = parse(line, 200);
      if (message["error"] !== undefined) throw faultOf(message, 200);
      take(message);
    }
  } catch (error) {
    throw inWords(error);
  } finally {
    signal.removeEventListener("abort", end);
    response.destroy();
  }
}

/** What is not done in time fails, and is let go. */
async function within<T>(
  { signal }: Question,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const abort = (): void => end.abort();
  signal.addEventListener("abort", abort);
  const timer = setTimeout(abort, TIMEOUT);
  try {
    if (signal.aborted) throw new StoreFault("unreachable", "it is over");
    return await work(end.signal);
  } catch (error) {
    if (!end.signal.aborted) throw inWords(error);
    throw new StoreFault("unreachable", `no answer within ${TIMEOUT / 1000} s`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function open(
  { url, method, body, token, files }: Question,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const target = new URL(`/v3/${method}`, url);
  const text = JSON.stringify(body);
  const options: RequestOptions = {
    method: "POST",
    agent: false,
    headers: {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
      // A member that hears no leader is to say so, instead of keeping us waiting for what never comes.
      "Grpc-Metadata-hasleader": "true",
      ...(token === undefined ? {} : { Authorization: token }),
    },
  };
  const secure = target.protocol === "https:";
  const certificates = secure ? await read(files) : {};
  const { request } = secure ? await import("node:https") : await import("node:http");
  return await new Promise((resolve, reject) => {
    const asked = request(target, { ...options, ...certificates });
    const abort = (): void => void asked.destroy(new Error("over"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    asked.on("response", resolve);
    asked.on("error", reject);
    asked.end(text);
  });
}

/** Each time anew: certificates are replaced while we run. */
async function read({ caFile, certFile, keyFile }: MemberFiles) {
  const [ca, cert, key] = await Promise.all([
    contents("caFile", caFile),
    contents("certFile", certFile),
    contents("keyFile", keyFile),
  ]);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

async function contents(name: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw new StoreFault("refused", `its ${name} ${path} can't be read (${code})`, {
      cause: error,
    });
  }
}

async function whole(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  let chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...chunks, chunk.subarray(from, end)]).toString("utf8");
      [chunks, size, from] = [[], 0, end + 1];
    }
    chunks.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > LARGEST) throw tooLarge();
  }
}

function tooLarge(): StoreFault {
  return new StoreFault("refused", `an answer of more than ${LARGEST >> 20} MiB`);
}

/** V8's own words would quote what was received. */
function parse(text: string, status: number): Mapping {
  try {
    const value: unknown = JSON.parse(text);
    if (isMapping(value)) return value;
  } catch {
    // Told below.
  }
  if (status === 200) throw strange("text");
  return {};
}

export function inWords(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error;
  const { words, certificate } = networkWords(error);
  return new StoreFault(certificate ? "refused" : "unreachable", words, { cause: error });
}
