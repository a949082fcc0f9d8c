/** A directory in a store whose members do everything wrong: what is told, that it goes on, and what it costs. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, it } from "node:test";
import type { Nodes, StoreOrigin } from "../../../../src/config/model.ts";
import { Secret } from "../../../../src/config/secret.ts";
import { ipAddress } from "../../../../src/net/address.ts";
import { StoreSource } from "../../../../src/tunnel/directory/store.ts";
import { eventually } from "../../../e2e/support/eventually.ts";
import { FakeEtcd, type FakeEtcdOptions, refuse } from "../../../support/fake-etcd.ts";

const folder = mkdtempSync(join(tmpdir(), "ipipoud-store-"));
after(() => rmSync(folder, { recursive: true }));

const node = (host: string): string => JSON.stringify({ host });
/** A watch that has this to say, and no more. */
function sayAndEnd(path: string, response: ServerResponse, line: string): boolean {
  if (path !== "watch") return false;
  response.end(`${line}\n`);
  return true;
}

const quick = { timeout: 15_000, interval: 10 };

describe("a directory in a store", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0).reverse()) end();
  });

  async function start(options: FakeEtcdOptions = {}): Promise<FakeEtcd> {
    const etcd = await FakeEtcd.start(options);
    ends.push(() => etcd.stop());
    return etcd;
  }

  function follow(etcd: FakeEtcd, over: Partial<StoreOrigin> = {}, interval = 3_600_000) {
    const from: StoreOrigin = {
      ...{ kind: "store", members: etcd.urls, prefix: "/f/", user: undefined, password: undefined },
      ...{ caFile: undefined, certFile: undefined, keyFile: undefined, publish: undefined },
      ...over,
    };
    const told: Nodes[] = [];
    const faults: (readonly string[])[] = [];
    const troubles: string[] = [];
    const stop = new StoreSource({ from, interval }).follow({
      nodes: (nodes, wrong = []) => {
        told.push(nodes);
        faults.push(wrong);
      },
      trouble: (reason) => void (troubles.at(-1) === reason || troubles.push(reason)),
    });
    ends.push(stop);
    const names = (): string[] => [...(told.at(-1)?.keys() ?? [])];
    const says = (...wanted: string[]) =>
      eventually(() => told.length > 0 && names().sort().join() === wanted.join(), {
        ...quick,
        what: `${wanted} instead of ${names()}; ${troubles}`,
      });
    return { told, faults, troubles, stop, says };
  }

  it("tells what stands there, and each change of it", async () => {
    const etcd = await start();
    etcd.put({ "/f/10.0.0.1": node("A.example"), "/g/10.0.0.9": node("other") });
    const { says, told, stop } = follow(etcd);
    await says("10.0.0.1");
    assert.deepEqual(told.at(-1)?.get(ipAddress("10.0.0.1")), { host: "a.example", port: 7777 });
    etcd.put({ "/f/10.0.0.2": node("b") });
    await says("10.0.0.1", "10.0.0.2");
    etcd.put({ "/f/10.0.0.1": undefined });
    await says("10.0.0.2");
    // Nothing is asked but once.
    assert.deepEqual(etcd.asked, ["kv/range", "watch"]);
    assert.ok(etcd.headers.every((headers) => headers["grpc-metadata-hasleader"] === "true"));
    stop();
    await eventually(() => etcd.watchers === 0, quick);
  });

  it("reads 10,000 in pages, and tells of one change as one", async () => {
    const etcd = await start();
    const all = Array.from({ length: 10_000 }, (_, i) => `10.7.${i >> 8}.${i & 255}`);
    etcd.put(Object.fromEntries(all.map((name) => [`/f/${name}`, node("198.51.100.9")])));
    const { told } = follow(etcd);
    await eventually(() => told.at(-1)?.size === 10_000, quick);
    assert.equal(etcd.asked.filter((path) => path === "kv/range").length, 10);
    etcd.put({ "/f/10.7.1.1": node("203.0.113.77") });
    await eventually(() => told.length === 2, quick);
    const [before, now] = told;
    const changed = all.filter(
      (name) => before?.get(ipAddress(name)) !== now?.get(ipAddress(name)),
    );
    assert.deepEqual(changed, ["10.7.1.1"]);
    assert.equal(etcd.asked.filter((path) => path === "kv/range").length, 10);
  });

  it("goes on with the next member where one ended, without a word", async () => {
    const etcd = await start({ members: 3 });
    etcd.put({ "/f/10.0.0.1": node("a") });
    const { says, troubles } = follow(etcd);
    await says("10.0.0.1");
    for (const name of ["10.0.0.2", "10.0.0.3"]) {
      const [member = 0] = etcd.watched;
      etcd.kill(member);
      etcd.put({ [`/f/${name}`]: node("b") });
      await eventually(() => etcd.watchers === 1, quick);
    }
    await says("10.0.0.1", "10.0.0.2", "10.0.0.3");
    assert.deepEqual(troubles, []);
    // Where one ended: nobody was asked for all of it again.
    assert.equal(etcd.asked.filter((path) => path === "kv/range").length, 1);
  });

  it("says once that all have gone, keeps what was said, and catches up without a flap", async () => {
    const etcd = await start({ members: 3 });
    etcd.put({ "/f/10.0.0.1": node("a") });
    const { says, troubles, told } = follow(etcd);
    await says("10.0.0.1");
    for (const member of [0, 1, 2]) etcd.kill(member);
    await eventually(() => troubles.length > 0, quick);
    assert.equal(told.length, 1);
    etcd.put({ "/f/10.0.0.2": node("b") });
    for (const member of [0, 1, 2]) await etcd.revive(member);
    const back = performance.now();
    await says("10.0.0.1", "10.0.0.2");
    assert.ok(performance.now() - back < 2000);
    assert.deepEqual(troubles, ["none of its 3 members can be used (connection refused)"]);
    assert.ok(told.every((nodes) => nodes.size > 0));
  });

  it("reads all anew when its place is forgotten, or when it is another cluster", async () => {
    const etcd = await start();
    etcd.put({ "/f/10.0.0.1": node("a"), "/f/10.0.0.2": node("b") });
    const { says, troubles } = follow(etcd);
    await says("10.0.0.1", "10.0.0.2");
    etcd.kill(0);
    // Gone while nobody watched, and the memory of it as well.
    etcd.put({ "/f/10.0.0.1": undefined });
    etcd.revision += 10;
    etcd.compacted = etcd.revision;
    await etcd.revive(0);
    await says("10.0.0.2");
    for (const change of [() => (etcd.clusterId = "2"), () => (etcd.revision = 2)]) {
      etcd.kill(0);
      change();
      const name = `10.0.0.${etcd.clusterId}`;
      etcd.keys.clear();
      etcd.keys.set(`/f/${name}`, { value: node("c"), revision: 1, lease: undefined });
      etcd.compacted = 0;
      await etcd.revive(0);
      await says(name);
      etcd.keys.clear();
    }
    assert.deepEqual(troubles, []);
  });

  it("leaves out the entry that makes no sense, and keeps what it said before", async () => {
    const etcd = await start();
    etcd.put({ "/f/10.0.0.1": node("a"), "/f/10.0.0.2": "{", "/f/x/y": "{}" });
    const { says, faults, told } = follow(etcd);
    await says("10.0.0.1");
    assert.deepEqual(faults.at(-1), [
      "node 10.0.0.2: not valid JSON",
      'entry "x/y": not an IP address',
    ]);
    const key = Buffer.alloc(32).toString("base64");
    for (const [value, fault] of [
      ["[]", "not a mapping"],
      [`{"host": "${"a".repeat(20_000)}"}`, "more than 16384 characters"],
      ['{"host": "300.1.1.1"}', "not an IP address"],
      ['{"host": "a", "publicKey": "sh!rt"}', "its publicKey: not base64"],
      [`{"host": "a", "publicKey": "${key}", "allowedIPs": "all"}`, "allowedIPs that are no list"],
      ['{"host": "a", "allowedIPs": ["10.0.0.0/33"]}', "its allowedIPs: not a network"],
    ] as const) {
      etcd.put({ "/f/10.0.0.1": value });
      const words = `node 10.0.0.1: ${fault}; what it said before stays`;
      await eventually(() => faults.at(-1)?.includes(words), { ...quick, what: words });
      assert.equal(told.at(-1)?.get(ipAddress("10.0.0.1"))?.host, "a");
    }
    etcd.put({ "/f/10.0.0.1": undefined, "/f/10.0.0.2": node("b"), "/f/x/y": undefined });
    await says("10.0.0.2");
    assert.deepEqual(faults.at(-1), []);
  });

  it("notices a member that hangs and says nothing", async () => {
    const etcd = await start({ members: 2 });
    etcd.put({ "/f/10.0.0.1": node("a") });
    const { says } = follow(etcd, {}, 1000);
    await says("10.0.0.1");
    // A change of which the watch says nothing.
    etcd.revision++;
    etcd.keys.set("/f/10.0.0.2", { value: node("b"), revision: etcd.revision, lease: undefined });
    await says("10.0.0.1", "10.0.0.2");
    // One that is gone.
    etcd.keys.delete("/f/10.0.0.1");
    await says("10.0.0.2");
  });

  for (const [what, fault, trouble] of [
    [
      "a page of HTML",
      (_: string, response: ServerResponse) => void response.end("<html>"),
      "an answer whose text is not etcd's",
    ],
    [
      "another server",
      (_: string, response: ServerResponse) => void response.writeHead(404).end("nothing"),
      "it answers with status 404: is that etcd's client port?",
    ],
    [
      "JSON of something else",
      (_: string, response: ServerResponse) => void response.end('{"header": 5}'),
      "an answer whose header is not etcd's",
    ],
    [
      "no permission",
      (_: string, response: ServerResponse) =>
        refuse(response, 403, 7, "etcdserver: permission denied\u001b[2J"),
      "etcdserver: permission denied?[2J",
    ],
    [
      "no leader",
      (_: string, response: ServerResponse) => refuse(response, 503, 14, "etcdserver: no leader"),
      "it can't be used (etcdserver: no leader)",
    ],
    [
      "an answer without end",
      (_: string, response: ServerResponse) => {
        const piece = Buffer.alloc(1 << 20, 0x20);
        const more = (): void => {
          while (!response.destroyed && response.write(piece));
          response.once("drain", more);
        };
        more();
      },
      "an answer of more than 16 MiB",
    ],
    [
      "a watch that ends at once",
      (path: string, response: ServerResponse) =>
        sayAndEnd(path, response, '{"result": {"header": {}}}'),
      "it can't be used (it has ended the watch)",
    ],
    [
      "a watch that breaks",
      (path: string, response: ServerResponse) =>
        sayAndEnd(
          path,
          response,
          '{"error": {"grpc_code": 14, "message": "etcdserver: no leader"}}',
        ),
      "it can't be used (etcdserver: no leader)",
    ],
    [
      "a watch that is refused",
      (path: string, response: ServerResponse) =>
        sayAndEnd(
          path,
          response,
          '{"result": {"canceled": true, "cancel_reason": "no permission"}}',
        ),
      "it can't be used (it has ended the watch (no permission))",
    ],
    [
      "a watch that is refused at length",
      (path: string, response: ServerResponse) =>
        sayAndEnd(
          path,
          response,
          JSON.stringify({ result: { canceled: true, cancel_reason: "\u001b[2J".repeat(1000) } }),
        ),
      `it can't be used (it has ended the watch (${"?[2J".repeat(30)}))`,
    ],
    [
      "a refusal that never ends",
      (path: string, response: ServerResponse) => {
        if (path !== "watch") return false;
        response.writeHead(500).write("{");
        return true;
      },
      "it can't be used (no answer within 5 s)",
    ],
    [
      "pages without end",
      (path: string, response: ServerResponse) => {
        if (path !== "kv/range") return false;
        const kvs = Array.from({ length: 20_000 }, () => ({ key: "YQ==", mod_revision: "1" }));
        const header = { cluster_id: "1", revision: "1" };
        response.end(JSON.stringify({ header, kvs, more: true, count: "20000" }));
        return true;
      },
      "more than 100000 entries or 64 MiB",
    ],
    ["silence", () => true, "it can't be used (no answer within 5 s)"],
  ] as const) {
    it(`has one word for ${what}, and goes on when it is over`, async () => {
      const etcd = await start();
      etcd.put({ "/f/10.0.0.1": node("a") });
      etcd.faults.set(0, (path, response) => fault(path, response) !== false);
      const { says, troubles, told } = follow(etcd);
      await eventually(() => troubles.length > 0, quick);
      assert.deepEqual([troubles, told], [[trouble], []]);
      etcd.faults.clear();
      await says("10.0.0.1");
      assert.equal(troubles.length, 1);
    });
  }

  it("does not ask without a pause where all members end each watch at once", async () => {
    const etcd = await start({ members: 2 });
    etcd.put({ "/f/10.0.0.1": node("a") });
    const created = '{"result": {"created": true, "header": {"cluster_id": "1", "revision": "2"}}}';
    for (const member of [0, 1]) {
      etcd.faults.set(member, (path, response) => sayAndEnd(path, response, created));
    }
    const { says } = follow(etcd);
    await says("10.0.0.1");
    const before = etcd.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.ok(etcd.asked.length - before < 30, `${etcd.asked.length - before} requests`);
    etcd.faults.clear();
    await eventually(() => etcd.watchers === 1, quick);
  });

  it("shows who it is, again when its token is forgotten, and never its password", async () => {
    const etcd = await start({ user: { name: "hub", password: "pass word" } });
    etcd.put({ "/f/10.0.0.1": node("a") });
    const good = { user: "hub", password: new Secret(Buffer.from("pass word")) };
    const { says, troubles } = follow(etcd, good);
    await says("10.0.0.1");
    etcd.tokens.clear();
    etcd.put({ "/f/10.0.0.2": node("b") });
    etcd.cut();
    await says("10.0.0.1", "10.0.0.2");
    assert.equal(etcd.asked.filter((path) => path === "auth/authenticate").length, 2);
    assert.deepEqual(troubles, []);
    const bad = follow(etcd, { ...good, password: new Secret(Buffer.from("topsecret")) });
    await eventually(() => bad.troubles.length > 0, quick);
    assert.deepEqual(bad.troubles, [
      "etcdserver: authentication failed, invalid user ID or password",
    ]);
  });

  it("trusts whom caFile names, and shows its own certificate", async () => {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-keyout", key, "-out", cert, "-days", "2"],
        ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
      ],
      { stdio: "ignore" },
    );
    const asks = { requestCert: true, ca: readFileSync(cert) };
    const etcd = await start({
      tls: { key: readFileSync(key), cert: readFileSync(cert), ...asks },
    });
    etcd.put({ "/f/10.0.0.1": node("a") });
    await follow(etcd, { caFile: cert, certFile: cert, keyFile: key }).says("10.0.0.1");
    for (const [over, words] of [
      [{ certFile: cert, keyFile: key }, /^its certificate is not good \(DEPTH_ZERO/],
      [{ caFile: "/nowhere.pem" }, /^its caFile \/nowhere\.pem can't be read \(ENOENT\)$/],
      [{ caFile: cert }, /^it wants a certificate of ours that it can trust \(ERR_SSL/],
    ] as const) {
      const { troubles } = follow(etcd, over);
      await eventually(() => troubles.length > 0, quick);
      assert.match(troubles[0] ?? "", words);
    }
  });

  it("takes a thousand changes as a few", async () => {
    const etcd = await start();
    etcd.put({ "/f/10.0.0.1": node("a") });
    const { says, told } = follow(etcd);
    await says("10.0.0.1");
    for (let i = 0; i < 1000; i++) etcd.put({ "/f/10.0.0.1": node(`h${i}`) });
    await eventually(() => told.at(-1)?.get(ipAddress("10.0.0.1"))?.host === "h999", quick);
    assert.ok(told.length < 100, `${told.length} times`);
  });
});
