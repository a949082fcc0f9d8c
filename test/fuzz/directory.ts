/**
 * Hosts files and answers of servers, from their bytes to the peers that they make:
 *
 *     node dist/test/fuzz/directory.js --count 1000000 [--seed N]
 *
 * A text is taken or refused, with one line; what is taken reads back the same, and every peer that comes of
 * it has the address that its node has and may send from that alone. Now and then the text comes as the
 * answer of a server that speaks HTTP badly.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { Complaint } from "../../src/config/complaint.ts";
import { readHosts, writeHosts } from "../../src/config/hosts.ts";
import { readsTheSame, withNodes } from "../../src/plan/directory.ts";
import { fetchText } from "../../src/tunnel/directory/fetch.ts";
import { wordsOf } from "../../src/tunnel/directory/file.ts";
import { peer, tunnel } from "../support/configuration.ts";
import { mutated, pick, type Random, random } from "../support/random.ts";
import { runTarget } from "./command.ts";
import { filesOf } from "./corpus.ts";

/** One in so many is fetched. */
const FETCHED = 400;
const LARGEST = 1 << 20;

const pieces = [
  ...'[]{}:,"\\.-0 \n',
  '"nodes":',
  '"host":"a.example"',
  '"port":7777',
  '"port":1e5',
  '"port":-1',
  '"__proto__":{}',
  '"0.0.0.0":{"host":"b"}',
  '"172.28.0.1":{"host":"own.example"}',
  '"224.0.0.1"',
  '"::1"',
  "null",
  "1e999",
  "\\u0000",
  "\u{feff}",
  "[".repeat(1000),
  "9".repeat(400),
];

function makeText(next: Random, texts: readonly Buffer[]): Buffer {
  let bytes = pick(next, texts);
  for (let count = next(4); count > 0; count--) {
    const start = next(bytes.length + 1);
    const end = start + (next(3) === 0 ? next(30) : 0);
    const piece = Buffer.from(pick(next, pieces));
    bytes = Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(end)]);
  }
  return next(3) === 0 ? mutated(next, bytes) : bytes;
}

const heads = [
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
  'HTTP/1.1 200 OK\r\nContent-Length: 20\r\nETag: "x"\r\nConnection: close\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{"nod\r\n',
  "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
  "HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\nConnection: close\r\n\r\n",
  "HTTP/1.1 301 Moved\r\nLocation: //[\r\nConnection: close\r\n\r\n",
  "HTTP/1.0 500 no\r\n\r\n",
].map((text) => Buffer.from(text));

/** Throws at the first text that breaks a promise, naming it. */
export async function fuzzDirectory(count: number, seed: number) {
  const next = random(seed);
  const texts = filesOf("directory");
  const own = peer("own", { allowedIPs: [] });
  const before = tunnel("t", [own]);
  const sums = { taken: 0, refused: 0, fetched: 0, "not fetched": 0 };
  let reply = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(reply));
  });

  function read(text: string): void {
    const nodes = readHosts(text);
    if (nodes instanceof Complaint) {
      sums.refused++;
      const words = wordsOf(nodes);
      assert.ok(!/\p{Cc}/u.test(words) && words.length < 1000, words);
      return;
    }
    sums.taken++;
    const again = readHosts(writeHosts(nodes));
    assert.ok(
      !(again instanceof Complaint) && readsTheSame(nodes, again),
      "it reads back the same",
    );
    const { tunnel: made, refused } = withNodes(before, nodes);
    for (const one of made.peers) {
      if (one === own) continue;
      const [first, ...rest] = one.allowedIPs ?? [];
      assert.deepEqual(first, { address: one.name, length: 32 });
      const node = nodes.get(first?.address ?? assert.fail());
      for (const prefix of rest)
        assert.ok(node?.allowedIPs?.includes(prefix), "not the node's own");
      assert.deepEqual(one.endpoint, node && { host: node.host, port: node.port });
      assert.ok(one.pinAddress && one.node);
    }
    for (const words of refused) assert.ok(!/\p{Cc}/u.test(words), words);
  }

  try {
    for (let i = 0; i < count; i++) {
      const text = makeText(next, texts);
      try {
        read(text.toString("utf8"));
        if (i % FETCHED === 0) {
          const head = pick(next, heads);
          reply = Buffer.concat([next(2) === 0 ? head : mutated(next, head), text]);
          const fetched = await fetchFrom(server);
          sums[fetched === undefined ? "not fetched" : "fetched"]++;
          if (fetched !== undefined) read(fetched);
        }
      } catch (error) {
        throw new Error(`text ${i} of seed ${seed}: ${JSON.stringify(text.toString("latin1"))}`, {
          cause: error,
        });
      }
    }
  } finally {
    server.close();
  }
  return sums;
}

/** undefined: refused, in one line. */
async function fetchFrom(server: Server): Promise<string | undefined> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  const url = `http://127.0.0.1:${bound.port}/hosts.json`;
  const known = { etag: '"x"', lastModified: undefined };
  try {
    const got = await fetchText({ url, caFile: undefined, timeout: 5000, largest: LARGEST, known });
    return got.kind === "text" ? got.text : undefined;
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.ok(!/\p{Cc}/u.test(error.message) && error.message.length < 200, error.message);
    assert.ok(
      !/no whole answer/.test(error.message),
      "a server that has said all is not waited for",
    );
    return undefined;
  }
}

await runTarget(import.meta.url, "directory", "texts", fuzzDirectory);
