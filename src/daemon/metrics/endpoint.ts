/**
 * One HTTP server for one page. Whoever asks may be anybody who reaches the address: it is read, in little
 * time and memory, for `GET /metrics` alone, and each answer ends its connection.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Endpoint, IpAddress } from "../../net/address.ts";
import { Failure } from "../../net/failure.ts";

export interface EndpointOptions {
  readonly at: Endpoint;
  /** Made when somebody asks. Throws a {@link Failure} where it can't be, which whoever asked is told. */
  readonly page: () => Promise<Page>;
  readonly onError: (error: unknown) => void;
  /** Milliseconds. */
  readonly limits?: Partial<Limits>;
}

export interface Page {
  readonly type: string;
  readonly content: Buffer;
}

export interface Limits {
  /** For the request to be there. */
  readonly request: number;
  /** For the answer to be read, from its first byte to its last. */
  readonly response: number;
}

export interface MetricsServer {
  readonly at: Endpoint;
  close(): Promise<void>;
}

const usual: Limits = { request: 5000, response: 30_000 };

/** A scraper or two, and somebody who looks. */
const mostConnections = 16;

/** Rejects with the system's error where nothing can listen there. */
export async function serveMetrics(options: EndpointOptions): Promise<MetricsServer> {
  const limits = { ...usual, ...options.limits };
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: limits.request,
      requestTimeout: limits.request,
      connectionsCheckingInterval: Math.ceil(limits.request / 4),
    },
    (request, response) => {
      const timer = setTimeout(() => request.socket.destroy(), limits.response).unref();
      response.once("close", () => clearTimeout(timer));
      response.setHeader("connection", "close");
      answer(request, response, options).catch((error: unknown) => {
        options.onError(error);
        request.socket.destroy();
      });
    },
  );
  server.maxConnections = mostConnections;
  const { address: host, port } = options.at;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: mostConnections }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", options.onError);
  const bound = server.address() as AddressInfo;
  return {
    at: { address: bound.address as IpAddress, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { page }: EndpointOptions,
): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0];
  if (path !== "/metrics") return say(response, 404, "metrics are at /metrics");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return say(response, 405, "GET and HEAD alone");
  }
  let made: Page;
  try {
    made = await page();
  } catch (error) {
    if (error instanceof Failure) return say(response, 503, error.message);
    say(response, 500, "see the daemon's log");
    throw error;
  }
  response.setHeader("content-type", made.type);
  response.setHeader("content-length", made.content.length);
  response.end(made.content);
}

function say(response: ServerResponse, status: number, line: string): void {
  response.statusCode = status;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.end(`${line}\n`);
}
