import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { HeartbeatDoor } from "../../../src/tunnel/heartbeats.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";
import { world } from "../../support/tunnel.ts";

const heartbeat = (secret: string) =>
  ({ kind: "heartbeat", port: 42_425, secret: new Secret(Buffer.from(secret)) }) as const;

const pinned = { pinAddress: true, endpoint: { host: "198.51.100.9", port: 5000 } };
const { peers } = world(
  configuration([
    tunnel("broker", [
      peer("one", { proof: heartbeat("first secret") }),
      peer("two", { proof: heartbeat("second") }),
      peer("three", { proof: heartbeat("third"), ...pinned }),
    ]),
  ]),
);
const door = new HeartbeatDoor(42_425, [...peers.all()]);

function judge(payload: string, from: string): string {
  const answer = door.judge(Buffer.from(payload), at(from));
  if (answer.kind === "refused") return answer.reason;
  const { address, port } = answer.endpoint ?? at(from);
  return `${answer.peer.config.name} at ${address}:${port}`;
}

describe("a heartbeat", () => {
  it("tells by its secret whose it is", () => {
    assert.equal(judge("first secret", "198.51.100.2:42425"), "one at 198.51.100.2:42424");
    assert.equal(judge("second", "198.51.100.2:42425"), "two at 198.51.100.2:42424");
  });

  it("from another port than the heartbeats' says that that is the port for data", () => {
    assert.equal(judge("second", "198.51.100.2:40001"), "two at 198.51.100.2:40001");
  });

  it("leaves the port of an endpoint in the configuration as it is", () => {
    assert.equal(judge("third", "198.51.100.9:42425"), "three at 198.51.100.9:5000");
    assert.equal(
      judge("third", "198.51.100.8:42425"),
      "it comes from elsewhere than its pinned address",
    );
  });

  it("with a wrong, an empty or a longer secret is none", () => {
    for (const wrong of [
      "first secreT",
      "first secret\n",
      "first secret\0",
      "first",
      "x".repeat(1400),
    ])
      assert.equal(judge(wrong, "198.51.100.2:42425"), "a heartbeat with a wrong secret");
    assert.equal(judge("", "198.51.100.2:42425"), "an empty heartbeat");
  });
});
