/** Peers from elsewhere: directories and heartbeats, as they are written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadConfiguration } from "../../../src/config/load.ts";
import type { Configuration } from "../../../src/config/model.ts";
import { complaints, withFiles } from "./files.ts";

function load(text: string, files: Readonly<Record<string, string>> = {}): Configuration {
  return withFiles({ ...files, "a.yaml": text }, (folder) =>
    loadConfiguration([join(folder, "a.yaml")]),
  );
}

const fleet = (directory: string, more = ""): string =>
  `tunnels: { t: { address: 10.0.0.1/24, directory: ${directory}${more} } }`;
const said = (text: string): string[] => complaints({ "a.yaml": text });

describe("a directory", () => {
  it("is a file or a URL, asked every five minutes, at port 7777", () => {
    const [tunnel] = load(fleet("{ file: /etc/hosts.json }")).tunnels;
    assert.deepEqual(tunnel?.directory, {
      from: { kind: "file", path: "/etc/hosts.json" },
      interval: 300_000,
    });
    assert.equal(tunnel.listen.port, 7777);
    assert.deepEqual(tunnel.peers, []);
    const url = "https://directory.example/hosts.json";
    const [other] = load(fleet(`{ url: "${url}", interval: 1m, caFile: /ca.pem }`)).tunnels;
    assert.deepEqual(other?.directory, {
      from: { kind: "url", url, caFile: "/ca.pem" },
      interval: 60_000,
    });
  });

  it("is a store, which has no more to say than it is allowed", () => {
    const store = '{ store: ["http://a:2379", "http://b:2379"], allowedIPs: [10.0.0.0/24] }';
    const [tunnel] = load(fleet(store)).tunnels;
    const files = { caFile: undefined, certFile: undefined, keyFile: undefined };
    assert.deepEqual(tunnel?.directory, {
      from: {
        ...{ kind: "store", members: ["http://a:2379", "http://b:2379"], prefix: "/ipipoud/t/" },
        ...{ user: undefined, password: undefined, ...files, publish: undefined },
      },
      interval: 300_000,
      limits: {
        allowedIPs: [{ address: "10.0.0.0", length: 24 }],
        ...{ unproven: false, proving: { kind: "none" } },
      },
    });
    const secure =
      "{ store: ['https://a:2379'], prefix: /f/, user: hub, passwordFile: hub.password, caFile: ca.pem, certFile: hub.pem, keyFile: hub.key, allowedIPs: [10.0.0.0/8], auth: none }";
    const [other] = load(fleet(secure), { "hub.password": "topsecret\n" }).tunnels;
    const from = other?.directory?.from;
    assert.ok(from?.kind === "store");
    assert.equal(from.password?.reveal().toString(), "topsecret");
    assert.match(from.keyFile ?? "", /^\/.*\/hub\.key$/);
    assert.deepEqual([from.prefix, from.user], ["/f/", "hub"]);
    assert.equal(other?.directory?.limits?.unproven, true);
    assert.doesNotMatch(JSON.stringify(other), /topsecret/);
  });

  it("may be written to", () => {
    const store = (more: string): string =>
      `{ store: ["http://a"], allowedIPs: [10.0.0.0/24], ${more} }, privateKey: ${Buffer.alloc(32, 1).toString("base64")}`;
    const publishOf = (more: string): unknown => {
      const from = load(fleet(store(more))).tunnels[0]?.directory?.from;
      return from?.kind === "store" ? from.publish : undefined;
    };
    const usual = { report: false, lease: 30_000 };
    assert.equal(publishOf(""), undefined);
    assert.deepEqual(publishOf("publish: own"), { endpoint: "own", ...usual });
    assert.deepEqual(publishOf("publish: VPS1.example.org"), {
      ...{ endpoint: { host: "vps1.example.org", port: 0 }, ...usual },
    });
    assert.deepEqual(publishOf("report: true, lease: 1m"), {
      ...{ endpoint: undefined, report: true, lease: 60_000 },
    });
    for (const [more, what] of [
      ["lease: 30s", "a lease, and nothing that is written"],
      ["publish: own, lease: 1s", "not a lease"],
      ["publish: '203.0.113.1:0'", "not a"],
      ["report: 1", "neither true nor false"],
    ] as const) {
      const found = said(fleet(store(more)));
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(found[0]?.includes(what), found[0]);
    }
    const [keyless] = said(fleet("{ store: ['http://a'], allowedIPs: [], publish: none }"));
    assert.match(keyless ?? "", /a node that is known by its key alone, and no key/);
  });

  it("stands beside peers of the configuration, each of which needs its allowedIPs", () => {
    const peers = ", peers: { p: { token: x } }";
    assert.deepEqual(
      said(fleet("{ file: a.json }", peers)).map((line) => line.replace(/^.*? /, "")),
      ["no allowedIPs for one peer among several (tunnels.t.peers.p): add allowedIPs"],
    );
  });

  for (const [directory, what] of [
    ["{}", "a directory without a source"],
    ["{ file: a, url: 'http://x/' }", "a directory with both `file` and `url`"],
    ["{ file: a, caFile: b }", "a `caFile`, and no https URL to check"],
    ["{ url: 'http://x/', caFile: b }", "a `caFile`, and no https URL to check"],
    ["{ url: 'ftp://x/' }", "neither an http nor an https URL"],
    ["{ url: hosts }", "not a URL"],
    ["{ file: a, interval: 500ms }", "less than a second"],
    ["{ store: 'http://a' }", "not a list of URLs"],
    ["{ store: [] }", "a cluster without members"],
    ["{ store: [a] }", "not a URL"],
    [
      "{ store: ['unix:/run/etcd'], allowedIPs: [10.0.0.0/24] }",
      "neither an http nor an https URL",
    ],
    ["{ store: ['http://u:topsecret@a'] }", "more than a host and a port"],
    ["{ store: ['http://a'] }", "a store that may give any inner address to its nodes"],
    ["{ store: ['http://a'], url: 'http://a', allowedIPs: [] }", "a directory with both `url` and"],
    ["{ store: ['http://a'], prefix: f, allowedIPs: [] }", "not a prefix"],
    ["{ store: ['https://a'], user: hub, allowedIPs: [] }", "a user without a password"],
    ["{ store: ['https://a'], password: x, allowedIPs: [] }", "a password, and nobody whose it is"],
    [
      "{ store: ['http://a'], user: u, password: x, allowedIPs: [] }",
      "a password that would be sent",
    ],
    ["{ store: ['https://a'], certFile: x, allowedIPs: [] }", "half of a certificate"],
    ["{ file: a, prefix: /f/ }", "`prefix`, and no store"],
    ["{ url: 'http://x/', auth: none }", "`auth`, and no store"],
    ["{ files: a }", "unknown key `files`"],
    ["[a]", "not a mapping"],
  ] as const) {
    it(`is refused: ${directory}`, () => {
      const found = said(fleet(directory));
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(found[0]?.includes(`: ${what}`) || found[0]?.includes(` ${what}`), found[0]);
    });
  }

  it("needs UDP", () => {
    const found = said(fleet("{ file: a }", ", encapsulation: none"));
    assert.ok(
      found.some((line) => line.includes("directory")),
      found.join("\n"),
    );
  });
});

const peer = (...keys: string[]): string => `p: { allowedIPs: [10.0.0.2/32], ${keys.join(", ")} }`;
const tunnel = (...peers: string[]): string =>
  `tunnels: { t: { listen: "192.0.2.1:42424", address: 10.0.0.1/24, peers: { ${peers.join(", ")} } } }`;

describe("a heartbeat", () => {
  it("is a proof of who we wait for", () => {
    const [one] =
      load(tunnel(peer("heartbeat: { secretFile: s }")), { s: "psst\n" }).tunnels[0]?.peers ?? [];
    assert.ok(one?.proof.kind === "heartbeat");
    assert.equal(one.role, "wait");
    assert.equal(one.proof.port, 42_425);
    assert.equal(one.proof.secret.reveal().toString(), "psst");
  });

  it("is ours to whom we dial, every ten seconds", () => {
    const dialled = peer('endpoint: "192.0.2.9:42424"', "heartbeat: { secret: psst, port: 5 }");
    const [one] = load(tunnel(dialled)).tunnels[0]?.peers ?? [];
    assert.ok(one?.identity.kind === "heartbeat");
    assert.equal(one.role, "dial");
    assert.equal(one.identity.port, 5);
    assert.equal(one.keepalive, 10_000);
  });

  const endpoint = 'endpoint: "192.0.2.9:42424"';
  for (const [text, what] of [
    [tunnel(peer("heartbeat: {}")), "a heartbeat without a secret"],
    [tunnel(peer('heartbeat: { secret: "" }')), "an empty secret"],
    [tunnel(peer(`heartbeat: { secret: ${"x".repeat(1001)} }`)), "a secret of 1001 bytes"],
    [tunnel(peer("heartbeat: { secret: x, port: 42424 }")), "port 42424 is the tunnel t's own"],
    [
      tunnel(peer("heartbeat: { secret: x, interval: 5s }")),
      "an interval of heartbeats that we wait for",
    ],
    [tunnel(peer("heartbeat: { secret: x }", "token: y")), "several proofs: token, heartbeat"],
    [
      tunnel(peer("heartbeat: { secret: x }", endpoint, "keepalive: 5s")),
      "both `keepalive` and a heartbeat",
    ],
    [tunnel(peer("heartbeat: { secret: x }", "replyOnAuth: true")), "answers to heartbeats"],
    [tunnel(peer("heartbeat: { secret: x, protocol: other }")), "not one of the choices"],
    [
      tunnel(
        peer("heartbeat: { secret: x }"),
        "q: { allowedIPs: [10.0.0.3/32], heartbeat: { secret: x } }",
      ),
      "the same secret as t/p",
    ],
  ] as const) {
    it(`is refused: ${what}`, () => {
      const found = said(text);
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(found[0]?.includes(` ${what}`), found[0]);
      assert.ok(!found[0]?.includes("xxxx"));
    });
  }
});
