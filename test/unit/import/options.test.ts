/**
 * Each option of ipipou 0.1 by itself: what our own reader makes of what becomes of it. Titles are named by
 * docs/coming-from-ipipou.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { importOld } from "../../../src/cli/import.ts";
import { loadText } from "../../../src/config/load.ts";
import type { Configuration, PeerConfig, TunnelConfig } from "../../../src/config/model.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";
import { publicKey, seed } from "../config/files.ts";
import { withOldFiles } from "./files.ts";

interface Imported {
  readonly text: string;
  readonly whole: Configuration;
  readonly tunnel: TunnelConfig;
  readonly peer: PeerConfig;
}

/** @param line options as on a command line */
function imported(line: string): Imported {
  const { text } = importOld({ files: [], args: line.split(" ") });
  const whole = loadText("imported.yaml", text);
  const tunnel = whole.tunnels[0] ?? assert.fail("no tunnel");
  return { text, whole, tunnel, peer: tunnel.peers[0] ?? assert.fail("no peer") };
}

function refused(line: string): string {
  try {
    importOld({ files: [], args: line.split(" ") });
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return assert.fail("it was taken");
}

const server = (options = "") => imported(`-s -b @eth0 ${options}`.trim());
const keyServer = (options = "") =>
  server(`--auth-remote-pubkey-b64 ${publicKey} ${options}`.trim());
const client = (options = "") =>
  imported(`-c -b @eth0 -r 203.0.113.1:10000 --tunl-ip 172.28.0.1 ${options}`.trim());
const keyClient = (options = "") => client(`--auth-key-b64 ${seed} ${options}`.trim());

/** It has no key here, and a comment says so. */
function onlySaid({ text }: Imported, option: string): void {
  assert.match(text, new RegExp(`^ *# ${option}: not (needed|used): .`, "m"));
}

test("--help makes no tunnel", () => {
  for (const option of ["-h", "--help"]) assert.match(refused(`-s ${option}`), /`ipipoud --help`/);
});

test("--version makes no tunnel", () => {
  assert.match(refused("--version"), /makes no tunnel \(version\): .*`ipipoud --version`/);
});

test("--config names files, which come before the rest of the command line", () => {
  withOldFiles({ "a.conf": "server\nfou-dev eth0\nnumber 3\nconfig b\n" }, (folder) => {
    const { tunnel, text } = imported(`--config ${folder}/a.conf --number 4`);
    assert.equal(tunnel.name, "ipipou4");
    assert.match(text, /# config: ipipou 0\.1 reads no file that is named like this/);
    assert.match(refused("--config"), /^command line: no value \(config\)/);
    assert.match(refused("--config nowhere"), /^\/etc\/ipipou\/nowhere\.conf: no such file/);
  });
});

test("-v and --verb add up to log.level", () => {
  const level = (options: string) => server(options).whole.log.level;
  assert.equal(level(""), "error");
  assert.equal(level("-v"), "warning");
  assert.equal(level("-vv"), "info");
  assert.equal(level("-v --verb 2"), "debug");
  assert.equal(level("--verb 9"), "debug");
  assert.equal(level("--verb 1"), "warning");
});

test("--client dials its server, and is what there is without it", () => {
  const { peer } = keyClient();
  assert.deepEqual([peer.role, peer.name], ["dial", "server"]);
  const line = `-b @eth0 -r 203.0.113.1:10000 --tunl-ip 172.28.0.1 --auth-key-b64 ${seed}`;
  assert.equal(imported(line).peer.role, "dial");
  assert.equal(imported(`-s ${line} -c`).peer.role, "dial");
});

test("--server waits for its client", () => {
  const { peer } = keyServer();
  assert.deepEqual([peer.role, peer.name, peer.endpoint], ["wait", "client", undefined]);
});

test("--number gives names, ports and inner addresses", () => {
  const { tunnel } = keyServer("--number 300");
  assert.equal(tunnel.interface, "ipipou300");
  assert.equal(tunnel.listen.port, 10_300);
  assert.deepEqual(tunnel.addresses, [{ local: "172.28.2.88", length: 32, peer: "172.28.2.89" }]);
  assert.equal(keyClient("-n3").tunnel.listen.port, 10_003);
});

test("--queue-number is the queue's, and a server's number where it has none", () => {
  const { whole, tunnel } = keyServer("-q 7");
  assert.deepEqual([whole.queue.number, tunnel.name], [7, "ipipou7"]);
  assert.equal(keyServer("-q 7 -n 1").tunnel.name, "ipipou1");
  assert.equal(keyServer("-q 1000").tunnel.name, "ipipou0");
  onlySaid(keyClient("-q 7"), "queue-number");
  assert.equal(keyClient("-q 7").tunnel.name, "ipipou0");
});

test("--auth-by-remote-ip pins the address", () => {
  const pinned = keyServer("--auth-by-remote-ip --fou-remote-ip 198.51.100.20").peer;
  assert.deepEqual([pinned.role, pinned.pinAddress, pinned.pinPort], ["wait", true, false]);
  assert.equal(pinned.endpoint?.host, "198.51.100.20");
  const alone = server("--auth-by-remote-ip -r 198.51.100.20").peer;
  assert.deepEqual([alone.role, alone.proof.kind], ["static", "none"]);
  assert.deepEqual([alone.pinAddress, alone.pinPort], [true, false]);
  const both = server("--auth-by-remote-ip --auth-by-remote-port -r 198.51.100.20:10007").peer;
  assert.deepEqual([both.role, both.proof.kind], ["static", "none"]);
  assert.deepEqual(both.endpoint, { host: "198.51.100.20", port: 10_007 });
  onlySaid(keyClient("--auth-by-remote-ip"), "auth-by-remote-ip");
});

test("--auth-by-remote-port pins the port", () => {
  const pinned = keyServer("--auth-by-remote-port --fou-remote-port 10007").peer;
  assert.deepEqual([pinned.role, pinned.pinAddress, pinned.pinPort], ["wait", false, true]);
  assert.equal(pinned.endpoint?.port, 10_007);
  const alone = server("--auth-by-remote-port --fou-remote-port 10007").peer;
  assert.deepEqual([alone.role, alone.proof.kind], ["static", "none"]);
  assert.deepEqual([alone.pinAddress, alone.pinPort], [false, true]);
  onlySaid(keyClient("--auth-by-remote-port"), "auth-by-remote-port");
});

test("--auth-token is the token, for both sides", () => {
  const waited = server("--auth-token hallo").peer.proof;
  assert.ok(waited.kind === "token" && waited.token.reveal().equals(Buffer.from("hallo")));
  const dialled = client("--auth-token 0123").peer.identity;
  assert.ok(dialled.kind === "token" && dialled.token.reveal().equals(Buffer.from("0123")));
});

test("--auth-token-b64 is the token in base64", () => {
  const { text, peer } = server("--auth-token-b64 AAECAw==");
  assert.match(text, /tokenBase64: "AAECAw=="/);
  assert.ok(peer.proof.kind === "token" && peer.proof.token.length === 4);
  // The last one given is the token, whichever way.
  assert.match(server("--auth-token-b64 AAECAw== --auth-token x").text, / token: "x"/);
});

test("--auth-key-b64 is the private key", () => {
  const { identity } = keyClient().peer;
  assert.ok(identity.kind === "key" && identity.seed.reveal().toString("base64") === seed);
  // Bits that no byte uses may be anything in Python.
  const loose = keyClient(`--auth-key-b64 ${seed.slice(0, -2)}p=`);
  assert.ok(loose.text.includes(seed));
  assert.match(refused("-c -b @eth0 --auth-key-b64 c2hvcnQ="), /5 bytes, want 32 \(auth-key-b64\)/);
});

test("--auth-remote-pubkey-b64 is the public key that proofs and answers are signed with", () => {
  const { proof } = keyServer().peer;
  assert.ok(proof.kind === "key" && Buffer.from(proof.publicKey).toString("base64") === publicKey);
  assert.equal(keyClient(`--auth-remote-pubkey-b64 ${publicKey}`).peer.proof.kind, "key");
  onlySaid(keyServer("--auth-token x"), "auth-remote-pubkey-b64");
});

test("--auth-key-type has one value", () => {
  onlySaid(keyServer("--auth-key-type ed25519"), "auth-key-type");
  assert.match(refused(`-s -b @eth0 --auth-key-b64 ${seed} --auth-key-type rsa`), /auth-key-type/);
});

test("--auth-secret is the secret, and its default is written out", () => {
  const secret = (one: Imported) => one.peer.secret.reveal().toString();
  assert.equal(secret(keyServer()), "netprickle.com");
  assert.equal(secret(keyClient()), "netprickle.com");
  assert.equal(secret(keyServer("--auth-secret 0x10")), "0x10");
  assert.equal(secret(keyClient("--auth-secret=a=b")), "a=b");
  const empty = imported(
    `-s -b @eth0 --auth-remote-pubkey-b64 ${publicKey} --auth-secret `.concat(""),
  );
  assert.equal(secret(empty), "");
  const unused = server("--auth-token x --auth-secret hush");
  onlySaid(unused, "auth-secret");
  assert.ok(!unused.text.includes("hush"));
});

test("--auth-keygen makes no tunnel", () => {
  assert.match(refused("--auth-keygen"), /`ipipoud keygen` and `ipipoud pubkey`/);
});

test("--auth-max-time-discrepancy is the clock skew", () => {
  const { peer, text } = keyServer("--auth-max-time-discrepancy 20");
  assert.deepEqual([peer.maxClockSkew, peer.replay], [20_000, "strict"]);
  assert.match(text, /# replay: off {2}# as ipipou 0\.1/);
  assert.equal(keyServer("--auth-max-time-discrepancy 0").peer.maxClockSkew, 300_000);
  onlySaid(server("--auth-token x --auth-max-time-discrepancy 5"), "auth-max-time-discrepancy");
  onlySaid(keyClient("--auth-max-time-discrepancy 5"), "auth-max-time-discrepancy");
});

test("--fou-local is where we listen, and goes before its parts", () => {
  const listen = (options: string) => imported(`-s --auth-token x ${options}`).tunnel.listen;
  const whole = { address: "203.0.113.1", port: 5000, device: "eth0" };
  assert.deepEqual(listen("--fou-local 203.0.113.1:5000@eth0 --fou-local-port 1"), whole);
  assert.deepEqual(listen("-b :5000 --fou-dev eth0 --fou-local-ip 203.0.113.1"), whole);
});

test("--fou-local-ip is the address where we listen", () => {
  const { listen } = imported("-s --auth-token x --fou-local-ip 203.0.113.1").tunnel;
  assert.deepEqual(listen, { address: "203.0.113.1", port: 10_000, device: undefined });
});

test("--fou-local-ip-alt is not needed", () => {
  onlySaid(keyServer("--fou-local-ip-alt 172.29.0.9"), "fou-local-ip-alt");
});

test("--force-fou-local-ip-alt is not needed", () => {
  onlySaid(keyServer("--force-fou-local-ip-alt"), "force-fou-local-ip-alt");
});

test("--fou-local-port is the port where we listen, and where a client sends from", () => {
  assert.equal(keyServer("--fou-local-port 5001").tunnel.listen.port, 5001);
  assert.equal(keyClient("--fou-local-port 5001").tunnel.listen.port, 5001);
  assert.match(refused("-s -b @eth0 --fou-local-port 65536"), /not a port \(fou-local-port\)/);
});

test("--fou-remote is the endpoint, and goes before its parts", () => {
  const dial = (options: string) =>
    imported(`-c -b @eth0 --tunl-ip 172.28.0.1 --auth-token x ${options}`).peer.endpoint;
  const named = { host: "hub.example.net", port: 10_007 };
  assert.deepEqual(dial("--fou-remote hub.example.net:10007 --fou-remote-port 1"), named);
  assert.deepEqual(dial("-r hub.example.net --fou-remote-port 10007"), named);
  const unpinned = keyServer("--fou-remote 198.51.100.7:1");
  onlySaid(unpinned, "fou-remote");
  assert.equal(unpinned.peer.endpoint, undefined);
});

test("--fou-remote-ip is the endpoint's address", () => {
  const line = "-c -b @eth0 --tunl-ip 172.28.0.1 --auth-token x --fou-remote-port 10007";
  const { peer } = imported(`${line} --fou-remote-ip 203.0.113.1`);
  assert.deepEqual(peer.endpoint, { host: "203.0.113.1", port: 10_007 });
  assert.match(refused(line), /a client without a server/);
});

test("--fou-remote-port is the endpoint's port", () => {
  const line = "-c -b @eth0 --tunl-ip 172.28.0.1 --auth-token x --fou-remote-ip 203.0.113.1";
  assert.equal(imported(`${line} --fou-remote-port 7`).peer.endpoint?.port, 7);
  assert.match(refused(line), /a server without a port/);
});

test("--fou-dev is the device where we listen", () => {
  assert.equal(imported("-s --auth-token x --fou-dev wlan0").tunnel.listen.device, "wlan0");
  assert.match(refused("-s --auth-token x"), /neither an address nor a device/);
});

test("--tunl-dev is the interface", () => {
  assert.equal(keyServer("--tunl-dev cellar -n 5").tunnel.interface, "cellar");
  assert.match(refused("-s -b @eth0 --tunl-dev a/b"), /\(tunl-dev\)/);
});

test("--tunl-ip is our inner address", () => {
  const { addresses } = keyServer("--tunl-ip 10.9.0.255").tunnel;
  assert.deepEqual(addresses, [{ local: "10.9.0.255", length: 32, peer: "10.9.1.0" }]);
  assert.match(refused("-c -b @eth0 -r 203.0.113.1:1"), /without an inner address \(tunl-ip\)/);
});

test("--tunl-peer-ip is the peer's inner address, and any inner source stays allowed", () => {
  const { tunnel, peer, text } = keyClient("--tunl-peer-ip 10.9.0.9");
  assert.deepEqual(tunnel.addresses, [{ local: "172.28.0.1", length: 32, peer: "10.9.0.9" }]);
  assert.equal(peer.allowedIPs, undefined);
  assert.match(text, /# allowedIPs: \[10\.9\.0\.9\/32\]/);
});

test("--nfq-max-len is the queue's length", () => {
  assert.equal(keyServer("--nfq-max-len 100").whole.queue.maxLength, 100);
  onlySaid(keyClient("--nfq-max-len 100"), "nfq-max-len");
});

test("--encap-csum turns outer checksums on", () => {
  assert.equal(keyServer("--encap-csum").tunnel.checksum, true);
  assert.equal(keyServer("--no-encap-csum --encap-csum").tunnel.checksum, true);
  assert.equal(keyServer().tunnel.checksum, undefined);
});

test("--no-encap-csum turns outer checksums off", () => {
  assert.equal(keyServer("--no-encap-csum").tunnel.checksum, false);
});

test("--no-nft-counter leaves counters off", () => {
  assert.match(keyServer("--no-nft-counter").text, /^counters: false$/m);
  assert.match(keyServer().text, /^# counters: true/m);
  onlySaid(keyClient("--no-nft-counter"), "no-nft-counter");
});

test("--nft-table is the table", () => {
  assert.equal(keyServer("--nft-table mine").whole.table, "mine");
  assert.equal(keyClient("--nft-table mine").whole.table, "mine");
});

test("--reauth-only makes no tunnel", () => {
  assert.match(refused("-c --reauth-only"), /`ipipoud reauth`/);
});

test("--auth-packet-ttl is the TTL of authentications and answers", () => {
  assert.equal(keyClient("--auth-packet-ttl 12").peer.authTtl, 12);
  assert.equal(keyServer("--auth-packet-ttl 12").peer.authTtl, 12);
});

test("--auth-lifetime is how long a proof holds", () => {
  assert.equal(keyServer("--auth-lifetime 3600").peer.authLifetime, 3_600_000);
  assert.equal(keyServer("--auth-lifetime -1").peer.authLifetime, 0);
  onlySaid(keyClient("--auth-lifetime 60"), "auth-lifetime");
});

test("--keepalive is a client's, and its default 0 is written out", () => {
  assert.equal(keyClient("--keepalive 27").peer.keepalive, 27_000);
  assert.equal(keyClient().peer.keepalive, 0);
  assert.match(keyClient().text, /keepalive: 0/);
  onlySaid(keyServer("--keepalive 27"), "keepalive");
});

test("--reply-on-auth-ok answers authentications", () => {
  assert.match(keyServer("--reply-on-auth-ok").text, /replyOnAuth: true/);
  onlySaid(keyClient("--reply-on-auth-ok"), "reply-on-auth-ok");
});

test("--no-log-time is not needed", () => {
  onlySaid(keyServer("--no-log-time"), "no-log-time");
});

test("--no-log-pid is not needed", () => {
  onlySaid(keyServer("--no-log-pid"), "no-log-pid");
});
