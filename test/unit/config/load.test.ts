import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { loadConfiguration } from "../../../src/config/load.ts";
import type { PeerConfig, TunnelConfig } from "../../../src/config/model.ts";
import { load, publicKey, seed, withFiles } from "./files.ts";

function tunnelOf(
  yaml: string,
  files: Readonly<Record<string, string | Buffer>> = {},
): TunnelConfig {
  const [tunnel] = load({ "a.yaml": yaml, ...files }).tunnels;
  assert.ok(tunnel);
  return tunnel;
}

/** The first peer of a tunnel `t` with these lines, each a key of the peer. */
function peerOf(peer: string, tunnel = ""): PeerConfig {
  const [first] = tunnelOf(`tunnels: { t: { ${tunnel} peers: { p: { ${peer} } } } }`).peers;
  assert.ok(first);
  return first;
}

describe("loadConfiguration", () => {
  it("reads the design's hub", () => {
    const tunnel = tunnelOf(
      `
tunnels:
  ipipou0:
    listen: "203.0.113.1:10000@eth0"
    address: 172.28.0.1/24
    privateKeyFile: hub.key
    peers:
      laptop: { publicKey: ${publicKey}, secretFile: laptop.secret, allowedIPs: [172.28.0.2/32] }
      router: { token: topsecret, allowedIPs: [172.28.0.3/32, 10.7.9.9/16] }
`,
      { "hub.key": `${seed}\n`, "laptop.secret": "hush\n" },
    );
    assert.equal(tunnel.interface, "ipipou0");
    assert.deepEqual(tunnel.listen, { address: "203.0.113.1", port: 10000, device: "eth0" });
    assert.deepEqual(tunnel.addresses, [{ local: "172.28.0.1", length: 24, peer: undefined }]);
    const [laptop, router] = tunnel.peers;
    assert.ok(laptop && router);
    assert.equal(laptop.role, "wait");
    assert.ok(laptop.proof.kind === "key");
    assert.equal(Buffer.from(laptop.proof.publicKey).toString("base64"), publicKey);
    assert.equal(laptop.secret.reveal().toString(), "hush");
    assert.ok(laptop.identity.kind === "key");
    assert.equal(laptop.identity.seed.reveal().toString("base64"), seed);
    assert.ok(router.proof.kind === "token");
    assert.equal(router.proof.token.reveal().toString(), "topsecret");
    assert.equal(router.secret.length, 0);
    // Bits behind the length are cleared.
    assert.deepEqual(router.allowedIPs, [
      { address: "172.28.0.3", length: 32 },
      { address: "10.7.0.0", length: 16 },
    ]);
  });

  it("fills in the defaults", () => {
    const { tunnels, ...rest } = load({
      "a.yaml": `tunnels: { t: { peers: { p: { publicKey: ${publicKey} } } } }`,
    });
    assert.deepEqual(rest, {
      queue: { number: 26992, maxLength: 1024, ratePerSource: 10, rateTotal: 1000 },
      table: "ipipou",
      counters: false,
      conntrack: undefined,
      stateDirectory: "/var/lib/ipipoud",
      control: "/run/ipipoud/control.sock",
      log: { level: "info", format: "text" },
      metrics: undefined,
      onStop: "remove",
    });
    const [tunnel] = tunnels;
    assert.ok(tunnel);
    const { peers, ...own } = tunnel;
    assert.deepEqual(own, {
      name: "t",
      interface: "t",
      mtu: undefined,
      addresses: [],
      encapsulation: "fou",
      checksum: undefined,
      ttl: 0,
      tos: 0,
      pathMtuDiscovery: true,
      listen: { address: undefined, port: 10000, device: undefined },
      fwmark: undefined,
      directory: undefined,
      ...{ routes: [], rules: [], marks: [], proxyArp: [], forwarding: false, clampMss: false },
    });
    const [peer] = peers;
    assert.ok(peer);
    const { proof, secret, ...others } = peer;
    assert.equal(proof.kind, "key");
    assert.equal(secret.length, 0);
    assert.deepEqual(others, {
      name: "p",
      endpoint: undefined,
      pinAddress: false,
      pinPort: false,
      role: "wait",
      identity: { kind: "none" },
      allowedIPs: undefined,
      keepalive: 0,
      authLifetime: 0,
      maxClockSkew: 300_000,
      replay: "strict",
      authTtl: 64,
      replyOnAuth: false,
      resolveInterval: 300_000,
      monitor: undefined,
      node: false,
    });
  });

  it("fills in a monitor", () => {
    const monitor = (text: string) => {
      const peer = `{ endpoint: "192.0.2.1:1", token: x, monitor: ${text} }`;
      return load({ "a.yaml": `tunnels: { t: { peers: { p: ${peer} } } }` }).tunnels[0]?.peers[0]
        ?.monitor;
    };
    const ping = "172.28.0.1";
    assert.deepEqual(monitor(`{ ping: ${ping} }`), { ping, interval: 10_000, failures: 3 });
    const own = { ping, interval: 1000, failures: 1 };
    assert.deepEqual(monitor(`{ ping: ${ping}, interval: 1s, failures: 1 }`), own);
  });

  it("reads every key that this version supports", () => {
    const configuration = load({
      "a.yaml": `
tunnels:
  "the one":
    interface: ipipou7
    mtu: 1400
    addresses: [172.28.0.1/24, { local: 10.0.0.1, peer: 10.0.0.2 }]
    address: 172.28.9.1
    encapsulation: fou
    checksum: true
    ttl: 64
    listen: :10007
    fwmark: 0x10
    protocol: 1
    privateKey: ${seed}
    peers:
      p:
        publicKey: ${publicKey}
        secret: "0123"
        protocol: 1
        allowedIPs: [10.0.0.0/8, 10.1.2.3/8]
        authLifetime: 1h
        maxClockSkew: 500ms
        replay: window
        authTtl: 3
        replyOnAuth: true
        resolveInterval: 0
queue: { number: 1, maxLength: 2, ratePerSource: 3/s, rateTotal: 4/s }
table: own
counters: true
conntrack: track
stateDirectory: state
control: /tmp/c.sock
log: { level: debug, format: json }
onStop: keep
`,
    });
    const [tunnel] = configuration.tunnels;
    assert.ok(tunnel);
    assert.equal(tunnel.name, "the one");
    assert.equal(tunnel.interface, "ipipou7");
    assert.deepEqual(tunnel.addresses, [
      { local: "172.28.9.1", length: 32, peer: undefined },
      { local: "172.28.0.1", length: 24, peer: undefined },
      { local: "10.0.0.1", length: 32, peer: "10.0.0.2" },
    ]);
    assert.deepEqual(
      [tunnel.mtu, tunnel.checksum, tunnel.ttl, tunnel.fwmark, tunnel.listen.port],
      [1400, true, 64, 16, 10007],
    );
    const [peer] = tunnel.peers;
    assert.ok(peer);
    assert.equal(peer.secret.reveal().toString(), "0123");
    assert.deepEqual(peer.allowedIPs, [{ address: "10.0.0.0", length: 8 }]);
    assert.deepEqual(
      [peer.authLifetime, peer.maxClockSkew, peer.replay, peer.authTtl, peer.resolveInterval],
      [3_600_000, 500, "window", 3, 0],
    );
    assert.equal(peer.replyOnAuth, true);
    assert.deepEqual(configuration.queue, {
      number: 1,
      maxLength: 2,
      ratePerSource: 3,
      rateTotal: 4,
    });
    assert.match(configuration.stateDirectory, /^\/.*\/state$/);
    assert.deepEqual(
      [configuration.table, configuration.counters, configuration.conntrack, configuration.onStop],
      ["own", true, "track", "keep"],
    );
  });

  it("decides who dials and who waits", () => {
    const end = 'endpoint: "192.0.2.1:1"';
    const roles = (peer: string, tunnel?: string) => {
      const { role, proof, identity, keepalive } = peerOf(peer, tunnel);
      return [role, proof.kind, identity.kind, keepalive];
    };
    assert.deepEqual(roles("auth: none"), ["wait", "none", "none", 0]);
    assert.deepEqual(roles("token: x"), ["wait", "token", "none", 0]);
    assert.deepEqual(roles(`${end}, token: x`), ["dial", "none", "token", 25_000]);
    assert.deepEqual(roles(`${end}, token: x, keepalive: 0`), ["dial", "none", "token", 0]);
    assert.deepEqual(roles(`${end}, token: x, publicKey: ${publicKey}`), [
      "dial",
      "key",
      "token",
      25_000,
    ]);
    assert.deepEqual(roles(`${end}, privateKey: ${seed}`), ["dial", "none", "key", 25_000]);
    assert.deepEqual(roles(`${end}`, `privateKey: ${seed}, `), ["dial", "none", "key", 25_000]);
    assert.deepEqual(roles(`${end}, token: x`, `privateKey: ${seed}, `), [
      "dial",
      "none",
      "token",
      25_000,
    ]);
    assert.deepEqual(roles(`${end}, auth: none`, `privateKey: ${seed}, `), [
      "dial",
      "none",
      "none",
      0,
    ]);
    assert.deepEqual(roles(`${end}, auth: none, pinAddress: true`), ["static", "none", "none", 0]);
    assert.deepEqual(roles(`${end}, token: x, pinAddress: true`), ["wait", "token", "none", 0]);
    assert.deepEqual(roles(`${end}, publicKey: ${publicKey}, pinPort: true`), [
      "wait",
      "key",
      "none",
      0,
    ]);
    assert.deepEqual(roles(`${end}, token: x, pinAddress: false`), [
      "dial",
      "none",
      "token",
      25_000,
    ]);
  });

  it("gives a port to a tunnel that waits and none to one that only dials", () => {
    const port = (peers: string) => tunnelOf(`tunnels: { t: { peers: { ${peers} } } }`).listen.port;
    const dialled = 'd: { endpoint: "a.example:1", token: x, allowedIPs: [10.0.0.1/32] }';
    const waited = "w: { token: y, allowedIPs: [10.0.0.2/32] }";
    assert.equal(port(dialled), undefined);
    assert.equal(port(waited), 10000);
    assert.equal(port(`${dialled}, ${waited}`), 10000);
    assert.equal(port('s: { endpoint: "192.0.2.1:1", auth: none, pinAddress: true }'), 10000);
  });

  it("takes a token of any bytes, and drops one newline of a file", () => {
    const peer = (keys: string, files = {}) => {
      const [first] = tunnelOf(`tunnels: { t: { peers: { p: { ${keys} } } } }`, files).peers;
      assert.ok(first?.proof.kind === "token");
      return first.proof.token.reveal().toString("latin1");
    };
    assert.equal(peer('tokenBase64: "AP8K"'), "\0\xff\n");
    assert.equal(peer("tokenBase64File: f", { f: "AP8K\n" }), "\0\xff\n");
    assert.equal(peer("tokenFile: f", { f: "a\n\n" }), "a\n");
    assert.equal(peer("tokenFile: f", { f: "a\r\n" }), "a\r");
    assert.equal(peer("tokenFile: f", { f: Buffer.from([0xff, 0]) }), "\xff\0");
    assert.equal(peer("token: grün"), Buffer.from("grün").toString("latin1"));
  });

  it("takes the secret that ipipou had by default only where it is written", () => {
    assert.equal(peerOf(`publicKey: ${publicKey}`).secret.length, 0);
    assert.equal(peerOf(`publicKey: ${publicKey}, secret: netprickle.com`).secret.length, 14);
  });

  it("expands CREDENTIALS_DIRECTORY, and nothing else", () => {
    const yaml = `tunnels: { t: { peers: { p: { tokenFile: "\${CREDENTIALS_DIRECTORY}/tok$&en" } } } }`;
    withFiles({ "a.yaml": yaml, "tok$&en": "x" }, (folder) => {
      const environment = { CREDENTIALS_DIRECTORY: folder };
      const { tunnels } = loadConfiguration([join(folder, "a.yaml")], { environment });
      assert.equal(tunnels[0]?.peers[0]?.proof.kind, "token");
    });
  });

  it("is frozen, and shows no secret however it is printed", () => {
    const configuration = load({
      "a.yaml":
        `tunnels: { t: { privateKey: ${seed}, peers: { p: { token: hush-hush, endpoint: "a:1" }, q: { publicKey: ${publicKey}, secret: hush-hush, allowedIPs: [10.0.0.0/8] } } } }`.replace(
          'endpoint: "a:1"',
          'endpoint: "a:1", allowedIPs: [10.0.0.1/32]',
        ),
    });
    const frozen = (value: unknown): void => {
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
      if (value.constructor.name !== "Secret") assert.ok(Object.isFrozen(value), inspect(value));
      for (const inner of Object.values(value)) frozen(inner);
    };
    frozen(configuration);
    const printed = [
      JSON.stringify(configuration),
      inspect(configuration, { depth: 20, showHidden: true }),
    ];
    for (const text of printed) assert.doesNotMatch(text, /hush-hush|RuBZ/);
    assert.doesNotMatch(`${configuration.tunnels[0]?.peers[0]?.secret}`, /hush/);
  });

  it("reads names that mean something to JavaScript as names", () => {
    const names = ["constructor", "toString", "hasOwnProperty", "007", "a.b", "größe"];
    const peers = Object.fromEntries(
      names.map((name, i) => [name, { token: `t${i}`, allowedIPs: [`10.0.0.${i}/32`] }]),
    );
    const text = JSON.stringify({ tunnels: { valueOf: { peers } } });
    for (const file of ["a.yaml", "a.json"]) {
      const [tunnel] = load({ [file]: text }).tunnels;
      assert.equal(tunnel?.name, "valueOf");
      assert.deepEqual(new Set(tunnel?.peers.map(({ name }) => name)), new Set(names));
    }
  });

  it("reads 10,000 peers of a generated JSON file in no time", () => {
    const peers: Record<string, object> = {};
    for (let i = 0; i < 10_000; i++) {
      peers[`peer-${i}`] = {
        token: `token-${i}`,
        allowedIPs: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`],
      };
    }
    const text = JSON.stringify({ tunnels: { t: { peers } } });
    const start = performance.now();
    const [tunnel] = load({ "a.json": text }).tunnels;
    assert.equal(tunnel?.peers.length, 10_000);
    assert.ok(performance.now() - start < 5000);
  });
});

describe("several files", () => {
  const hub =
    "tunnels: { t: { listen: ':1', peers: { a: { token: x, allowedIPs: [10.0.0.1/32] } } } }";

  it("merges tunnels and peers of one name, from files and folders, YAML and JSON", () => {
    const files = {
      "1.yaml": hub,
      "2.json":
        '{"tunnels": {"t": {"mtu": 1400, "peers": {"b": {"token": "y", "allowedIPs": ["10.0.0.2"]}}}}}',
      "3.yaml":
        "tunnels: { t: { peers: { a: { allowedIPs: [10.1.0.0/16] } } }, u: { peers: { c: { token: z } } , listen: ':2' } }",
      "4.yaml": "# nothing yet\n",
      "5.yaml": "log: { level: debug }",
      "6.yaml": "log: { format: json }",
      ".7.yaml": "no: configuration",
      "8.yml": "no: configuration",
    };
    withFiles(files, (folder) => {
      const ordered = [join(folder, "3.yaml"), folder];
      for (const paths of [[folder], ordered, [folder, join(folder, "1.yaml")]]) {
        const { tunnels, log } = loadConfiguration(paths);
        const byName = new Map(tunnels.map((tunnel) => [tunnel.name, tunnel]));
        assert.deepEqual([...byName.keys()].sort(), ["t", "u"]);
        const t = byName.get("t");
        assert.equal(t?.mtu, 1400);
        assert.equal(t?.listen.port, 1);
        const a = t?.peers.find(({ name }) => name === "a");
        assert.equal(a?.proof.kind, "token");
        assert.equal(a?.allowedIPs?.length, 2);
        assert.equal(t?.peers.length, 2);
        assert.deepEqual(log, { level: "debug", format: "json" });
      }
    });
  });

  it("finds a file that is named relative to each", () => {
    withFiles({ "a.yaml": hub, key: seed }, (folder) =>
      withFiles(
        { "b.yaml": "tunnels: { t: { privateKeyFile: key } }", key: `${publicKey}\n` },
        (other) => {
          const { tunnels } = loadConfiguration([join(folder, "a.yaml"), join(other, "b.yaml")]);
          const identity = tunnels[0]?.peers[0]?.identity;
          assert.ok(identity?.kind === "key");
          assert.equal(identity.seed.reveal().toString("base64"), publicKey);
        },
      ),
    );
  });
});
