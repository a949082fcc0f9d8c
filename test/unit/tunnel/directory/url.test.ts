/** A hosts file by HTTP from servers that do everything wrong: what is said, that it ends, and what it costs. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fetchText } from "../../../../src/tunnel/directory/fetch.ts";
import { UrlSource } from "../../../../src/tunnel/directory/url.ts";
import { eventually } from "../../../e2e/support/eventually.ts";

const hosts = '{"nodes": {"10.0.0.2": {"host": "a.example"}}}';
const MiB = 1 << 20;

let requests = 0;
const answers: RequestListener = (request, response) => {
  requests++;
  const { url = "" } = request;
  const redirect = (to: string): void => void response.writeHead(302, { Location: to }).end();
  if (url === "/hosts") response.end(hosts);
  else if (url === "/loop") redirect("/loop");
  else if (url.startsWith("/hops/")) {
    const left = Number(url.slice(6));
    redirect(left === 0 ? "/hosts" : `/hops/${left - 1}`);
  } else if (url === "/nowhere") redirect("http://[");
  else if (url === "/ftp") redirect("ftp://127.0.0.1/hosts");
  else if (url === "/etag") {
    const same = request.headers["if-none-match"] === '"one"';
    response.writeHead(same ? 304 : 200, { ETag: '"one"' }).end(same ? "" : hosts);
  } else if (url === "/silent") return;
  else if (url === "/drip") {
    const timer = setInterval(() => response.write(" "), 20);
    request.on("close", () => clearInterval(timer));
  } else if (url === "/old-drip") {
    const { socket } = response;
    socket?.write(`HTTP/1.0 200 OK\r\n\r\n${hosts}`);
    const timer = setInterval(() => socket?.write(" "), 20);
    socket?.on("close", () => clearInterval(timer));
  } else if (url === "/cut") {
    response.writeHead(200, { "Content-Length": "100" });
    response.write("{");
    setTimeout(() => response.destroy(), 20);
  } else if (url === "/said") {
    response.writeHead(200, { "Content-Length": String(1 << 30) });
    response.write("{");
  } else if (url === "/endless") {
    const piece = Buffer.alloc(MiB, 0x20);
    let sent = 0;
    const more = (): void => {
      while (sent < 1024 && !response.destroyed) {
        sent++;
        if (!response.write(piece)) {
          response.once("drain", more);
          return;
        }
      }
      response.end();
    };
    more();
  } else response.writeHead(404).end("nothing here");
};

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

describe("a hosts file by HTTP", () => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-url-"));
  const server = createServer(answers);
  let secure: Server;
  let http = "";
  let https = "";
  before(async () => {
    const certificate = join(folder, "cert.pem");
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-keyout", join(folder, "key.pem"), "-out", certificate, "-days", "2"],
        ...["-subj", "/CN=hosts", "-addext", "subjectAltName=IP:127.0.0.1"],
      ],
      { stdio: "ignore" },
    );
    const [key, cert] = [join(folder, "key.pem"), certificate].map((file) => readFileSync(file));
    secure = createTlsServer({ key, cert }, (request, response) => {
      if (request.url === "/down") response.writeHead(302, { Location: `${http}/hosts` }).end();
      else answers(request, response);
    });
    http = `http://127.0.0.1:${await listening(server)}`;
    https = `https://127.0.0.1:${await listening(secure)}`;
  });
  after(() => {
    for (const one of [server, secure]) {
      one.close();
      one.closeAllConnections();
    }
    rmSync(folder, { recursive: true });
  });

  const get = (url: string, caFile?: string) =>
    fetchText({ url, caFile, timeout: 1000, largest: 16 * MiB, known: undefined });

  it("follows ten redirects, and no eleventh", async () => {
    for (const path of ["/hosts", "/hops/0", "/hops/9"]) {
      const fetched = await get(http + path);
      assert.ok(fetched.kind === "text" && fetched.text === hosts, path);
    }
    requests = 0;
    await assert.rejects(get(`${http}/hops/10`), { message: "more than 10 redirects" });
    assert.equal(requests, 11);
  });

  for (const [what, path, message] of [
    ["a redirect loop", "/loop", "more than 10 redirects"],
    ["a redirect without a goal", "/nowhere", "a redirect that leads nowhere"],
    ["a redirect to another protocol", "/ftp", "a redirect to something else than HTTP"],
    ["status 404", "/none", "it answers with status 404"],
    ["silence", "/silent", "no whole answer within 1 s"],
    ["an answer that drips", "/drip", "no whole answer within 1 s"],
    ["an answer without a length that drips", "/old-drip", "no whole answer within 1 s"],
    ["an answer that is cut off", "/cut", "the connection was cut"],
    ["1 GB that is announced", "/said", "more than 16 MiB"],
    ["1 GB that is not", "/endless", "more than 16 MiB"],
  ] as const) {
    it(`has words for ${what}`, async () => {
      await assert.rejects(get(http + path), { message });
    });
  }

  it("has words for a refused connection", async () => {
    const gone = createServer();
    const port = await listening(gone);
    await new Promise((resolve) => gone.close(resolve));
    await assert.rejects(get(`http://127.0.0.1:${port}/`), { message: "connection refused" });
  });

  it("trusts whom caFile names, and for HTTPS nobody else", async () => {
    const caFile = join(folder, "cert.pem");
    const fetched = await get(`${https}/hosts`, caFile);
    assert.ok(fetched.kind === "text" && fetched.text === hosts);
    await assert.rejects(get(`${https}/hosts`), {
      message:
        "its certificate is not good (DEPTH_ZERO_SELF_SIGNED_CERT): nobody whom we trust has signed it, caFile says whom",
    });
    await assert.rejects(get(`${https}/down`, caFile), {
      message: "a redirect from HTTPS to plain HTTP",
    });
    await assert.rejects(get(`${https}/hosts`, "/nowhere.pem"), {
      message: "its caFile /nowhere.pem can't be read (ENOENT)",
    });
    await assert.rejects(get(`${https.replace("127.0.0.1", "localhost")}/hosts`, caFile), {
      message:
        "its certificate is not good (ERR_TLS_CERT_ALTNAME_INVALID): it is for another name or address than the one that was asked",
    });
    // No TLS at all behind the port.
    await assert.rejects(get(http.replace("http:", "https:")), {
      message: "it can't be agreed on TLS with it (EPROTO): does it speak that at this port?",
    });
  });

  it("does not grow by what it throws away", async () => {
    const { gc } = globalThis;
    await assert.rejects(get(`${http}/endless`));
    gc?.();
    const before = process.memoryUsage();
    for (let i = 0; i < 10; i++) await assert.rejects(get(`${http}/endless`));
    gc?.();
    const { rss } = process.memoryUsage();
    // 160 MiB were taken in and thrown away.
    assert.ok(rss - before.rss < 64 * MiB, `${(rss - before.rss) / MiB} MiB more`);
  });

  it("that says that it is the same as before is not sent again", async () => {
    const said: number[] = [];
    const source = new UrlSource({ url: `${http}/etag`, caFile: undefined, interval: 1000 });
    requests = 0;
    const stop = source.follow({
      nodes: (nodes) => void said.push(nodes.size),
      trouble: (reason) => assert.fail(reason),
    });
    await eventually(() => requests >= 2 && said.length >= 2);
    stop();
    assert.deepEqual(said.slice(0, 2), [1, 1]);
  });

  it("is told of by the name of its URL without what may be secret", () => {
    const url = "https://user:password@directory.example/hosts.json?key=secret";
    const { name } = new UrlSource({ url, caFile: undefined, interval: 1000 });
    assert.equal(name, "https://directory.example/hosts.json");
  });

  it("that is none is trouble, each time the same, and sooner asked again", async () => {
    const said: string[] = [];
    let asked = 0;
    const bodies = ["<html>", '{"nodes": {"10.0.0.300": {"host": "a"}}}', hosts];
    const source = new UrlSource({
      ...{ url: "http://x.example/", caFile: undefined, interval: 3_600_000 },
      fetch: async () => {
        const text = bodies[Math.min(2, asked++)] ?? "";
        return { kind: "text", text, validators: { etag: undefined, lastModified: undefined } };
      },
    });
    const stop = source.follow({
      nodes: (nodes) => void said.push(`${nodes.size}`),
      trouble: (reason) => void said.push(reason.split(":")[0] ?? ""),
    });
    await eventually(() => said.length === 3);
    stop();
    assert.deepEqual(said, ["a page of HTML, not JSON", 'node "10.0.0.300"', "1"]);
  });
});
