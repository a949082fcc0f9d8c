import assert from "node:assert/strict";
import { test } from "node:test";
import { secretFiles } from "../../../../src/apply/host/secrets.ts";
import type { PeerConfig } from "../../../../src/config/model.ts";
import { Secret } from "../../../../src/config/secret.ts";
import { configuration, peer, tunnel } from "../../../support/configuration.ts";

const own = "/etc/ipipou/ipipoud.yaml";

const inFile = (name: string): Secret => new Secret(Buffer.from("x"), `/etc/ipipou/${name}`);
const inline = new Secret(Buffer.from("x"));

function filesOf(over: Partial<PeerConfig>): string[] {
  const tunnels = [tunnel("ipipou0", [peer("laptop", over)])];
  return [...secretFiles(configuration(tunnels), [own])];
}

test("each kind of secret is a reason to look at its file", () => {
  const kinds: Partial<PeerConfig>[] = [
    { secret: inFile("a") },
    { proof: { kind: "token", token: inFile("a") } },
    { proof: { kind: "heartbeat", port: 42425, secret: inFile("a") } },
    { identity: { kind: "key", seed: inFile("a") } },
    { identity: { kind: "token", token: inFile("a") } },
    { identity: { kind: "heartbeat", port: 42425, secret: inFile("a") } },
  ];
  for (const over of kinds) assert.deepEqual(filesOf(over), ["/etc/ipipou/a"]);
});

test("the configuration's own files count where a secret stands in them", () => {
  assert.deepEqual(filesOf({}), []);
  assert.deepEqual(filesOf({ secret: inline }), [own]);
  const proof = { kind: "heartbeat", port: 42425, secret: inline } as const;
  assert.deepEqual(filesOf({ proof }), [own]);
});
