import assert from "node:assert/strict";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { serveMetrics } from "../../../../src/daemon/metrics/endpoint.ts";
import { EventCounts } from "../../../../src/daemon/metrics/event-counts.ts";
import { Exporter } from "../../../../src/daemon/metrics/exporter.ts";
import type { Measurement } from "../../../../src/daemon/metrics/measurement.ts";
import { pageSource } from "../../../../src/daemon/metrics/page.ts";
import { type Endpoint, ipAddress } from "../../../../src/net/address.ts";
import { exitCode, Failure } from "../../../../src/net/failure.ts";

const loopback = ipAddress("127.0.0.1");
const anyPort: Endpoint = { address: loopback, port: 0 };
const empty: Measurement = {
  tunnels: [],
  queue: { received: 0, accepted: 0, refused: 0, dropped: 0 },
};
const facts = () => ({ version: "1", events: new EventCounts().all, lastReload: undefined });

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
after(() => assert.equal(closers.length, 0));

async function serve(
  content: Buffer | (() => Promise<Buffer>),
  limits: { request?: number; response?: number } = {},
): Promise<Endpoint> {
  const server = await serveMetrics({
    at: anyPort,
    page: async () => ({
      type: "text/plain",
      content: typeof content === "function" ? await content() : content,
    }),
    onError: () => {},
    limits,
  });
  closers.push(() => server.close());
  return server.at;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function get({ address, port }: Endpoint, path = "/metrics", method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: address, port, path, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

/** Bytes that somebody else's client sends; gives all that comes back until the end. */
function raw({ address, port }: Endpoint, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    let said = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      said += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(said));
    socket.write(text);
  });
}

function open({ address, port }: Endpoint, text = ""): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => {
      socket.write(text, () => resolve(socket));
    });
    socket.on("error", () => {});
    closers.push(() => socket.destroy());
  });
}

const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once("close", resolve));

describe("the server", () => {
  it("answers GET and HEAD of /metrics, and nothing else", async () => {
    const at = await serve(Buffer.from("x 1\n"));
    const answer = await get(at);
    assert.deepEqual([answer.status, answer.body], [200, "x 1\n"]);
    assert.equal(answer.headers["content-type"], "text/plain");
    assert.equal(answer.headers.connection, "close");
    assert.equal((await get(at, "/metrics?name=x")).status, 200);
    const head = await get(at, "/metrics", "HEAD");
    assert.deepEqual([head.status, head.headers["content-length"], head.body], [200, "4", ""]);
    for (const path of ["/", "/metrics/", "/../etc/passwd"]) {
      assert.equal((await get(at, path)).status, 404, path);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await get(at, "/metrics", method);
      assert.deepEqual([refused.status, refused.headers.allow], [405, "GET, HEAD"], method);
    }
  });

  it("says so where there is nothing to tell yet", async () => {
    const at = await serve(() => Promise.reject(new Failure(exitCode.runtime, "it is stopping")));
    assert.deepEqual(await get(at).then(({ status, body }) => [status, body]), [
      503,
      "it is stopping\n",
    ]);
  });

  it("keeps what broke to itself", async () => {
    const at = await serve(() => Promise.reject(new Error("secret")));
    assert.equal((await get(at)).status, 500);
    assert.doesNotMatch((await get(at)).body, /secret/);
  });

  it("ends what is no request, is too long, or does not come to its end", async () => {
    const at = await serve(Buffer.from("x 1\n"), { request: 1000 });
    assert.match(await raw(at, "\0\r\n\r\n"), /^HTTP\/1.1 400/);
    const long = `GET /metrics HTTP/1.1\r\nHost: h\r\nX: ${"x".repeat(9000)}\r\n\r\n`;
    assert.match(await raw(at, long), /^HTTP\/1.1 431/);
    assert.match(await raw(at, "GET /metrics HTTP/1.1\r\nHost"), /^(HTTP\/1.1 408|$)/);
    // A body is nothing that anybody waits for.
    const body = "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nx";
    assert.match(await raw(at, body), /^HTTP\/1.1 405/);
    assert.equal((await get(at)).status, 200);
  });

  it("serves others while somebody does not read", async () => {
    const much = Buffer.alloc(16 << 20, 0x20);
    const at = await serve(much);
    const stuck = await open(at, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    stuck.pause();
    assert.equal((await get(at)).body.length, much.length);
  });

  it("lets go whoever does not read", async () => {
    const much = Buffer.alloc(32 << 20, 0x20);
    const at = await serve(much, { response: 100 });
    const stuck = await open(at, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    stuck.pause();
    // Longer than it may take: what was on its way is there, and the end of it, but not the rest.
    await delay(1000);
    const gone = closed(stuck);
    stuck.resume();
    await gone;
    assert.ok(stuck.bytesRead < much.length, `${stuck.bytesRead}`);
  });

  it("has room for a few at a time, and again when they are gone", async () => {
    const at = await serve(Buffer.from("x 1\n"));
    const idle = await Promise.all(Array.from({ length: 16 }, () => open(at)));
    await assert.rejects(get(at), /ECONNRESET|socket hang up/);
    await Promise.all(
      idle.map((socket) => {
        const end = closed(socket);
        socket.destroy();
        return end;
      }),
    );
    assert.equal(await untilAnswered(at), 200);
  });
});

/** The server hears of an end a moment after the client. */
async function untilAnswered(at: Endpoint): Promise<number> {
  for (;;) {
    const answer = await get(at).catch(() => undefined);
    if (answer !== undefined) return answer.status;
  }
}

describe("the page", () => {
  it("is made when somebody asks, once for all who ask at a time", async () => {
    let made = 0;
    const measure = async () => {
      made++;
      return empty;
    };
    const page = pageSource({ measure, facts });
    assert.equal(made, 0);
    const [a, b] = await Promise.all([page(), page()]);
    assert.equal(a, b);
    assert.equal(await page(), a);
    assert.equal(made, 1);
  });

  it("is tried again at once where it could not be made", async () => {
    let broken = true;
    const measure = async () => {
      if (broken) throw new Failure(exitCode.runtime, "it is still starting");
      return empty;
    };
    const page = pageSource({ measure, facts });
    await assert.rejects(page(), /still starting/);
    broken = false;
    assert.match((await page()).content.toString(), /ipipoud_build_info/);
  });
});

function exporter(again = 20): { exporter: Exporter; lines: string[]; line: () => Promise<void> } {
  const lines: string[] = [];
  let heard = (): void => {};
  const write =
    (level: string) =>
    (message: string, fields: object = {}): void => {
      lines.push([level, message, ...Object.values(fields)].join(" "));
      heard();
    };
  const log = {
    error: write("error"),
    warning: write("warning"),
    info: write("info"),
    debug: write("debug"),
  };
  const exporter = new Exporter({ source: { measure: async () => empty, facts }, log, again });
  closers.push(() => exporter.close());
  const line = (): Promise<void> =>
    new Promise((resolve) => {
      heard = resolve;
    });
  return { exporter, lines, line };
}

/** Somebody else's server. */
async function occupy(): Promise<{ server: Server; at: Endpoint }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  closers.push(() => server.close());
  return { server, at: { address: loopback, port: (server.address() as AddressInfo).port } };
}

describe("the exporter", () => {
  it("listens nowhere unless it is told to, moves, and ends", async () => {
    const { exporter: mine } = exporter();
    assert.equal(mine.at, undefined);
    assert.deepEqual(await mine.follow(anyPort), ["add metrics at http://127.0.0.1/metrics"]);
    assert.deepEqual(await mine.follow(anyPort), []);
    const first = mine.at;
    assert.ok(first !== undefined);
    assert.match((await get(first)).body, /^ipipoud_build_info\{version="1",node="v\d+/m);
    const { server, at: second } = await occupy();
    await new Promise((resolve) => server.close(resolve));
    await mine.follow(second);
    await assert.rejects(get(first), /ECONNREFUSED/);
    assert.equal((await get(second)).status, 200);
    assert.match((await mine.follow(undefined)).join(), /^remove metrics at http:[^ ]+$/);
    await assert.rejects(get(second), /ECONNREFUSED/);
  });

  it("moves to the same port of every address", async () => {
    const { exporter: mine, lines } = exporter();
    await mine.follow(anyPort);
    const port = mine.at?.port ?? 0;
    await mine.follow({ address: ipAddress("0.0.0.0"), port });
    assert.equal((await get({ address: loopback, port })).status, 200);
    assert.ok(!lines.some((line) => line.startsWith("warning")), lines.join("\n"));
  });

  it("goes on without a place that is taken, says so once, and takes it when it is free", async () => {
    const { exporter: mine, lines, line } = exporter();
    const { server, at } = await occupy();
    await mine.follow(at);
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^warning no metrics at http:\/\/127\.0\.0\.1:\d+\/metrics something else holds the port/,
    );
    const next = line();
    await new Promise((resolve) => server.close(resolve));
    await next;
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? "", /^info metrics at .*, at last$/);
    assert.equal((await get(at)).status, 200);
  });

  it("waits for an address that is not there, until it is told otherwise", async () => {
    const { exporter: mine, lines } = exporter();
    await mine.follow({ address: ipAddress("203.0.113.77"), port: 9787 });
    assert.match(lines.join(), /no device has this address yet/);
    await mine.follow(anyPort);
    assert.equal((await get(mine.at ?? anyPort)).status, 200);
  });
});
