import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { diffRuleset } from "../../../../src/apply/nftables/diff.ts";
import { executeRuleset } from "../../../../src/apply/nftables/execute.ts";
import { lacksHash, withoutHash } from "../../../../src/apply/nftables/heartbeats.ts";
import { ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import { Secret } from "../../../../src/config/secret.ts";
import { hashOf } from "../../../../src/kernel/nftables/expressions/hash.ts";
import { KernelError } from "../../../../src/netlink/errors.ts";
import { gate, peer, tunnel } from "./gates.ts";

const heartbeat = (secret: string, port = 42_425) => ({
  port,
  secret: new Secret(Buffer.from(secret)),
});

const broker = gate([
  tunnel("broker", [peer(1, ["172.30.0.2/32"]), peer(2, ["172.30.0.3/32"])], {
    authentications: [],
    heartbeats: [heartbeat("first secret"), heartbeat("other secret"), heartbeat("x".repeat(500))],
  }),
]);
const objects = ruleset(broker);
const chain = objects.find(
  ({ kind, name = "" }: { kind: string; name?: string }) =>
    kind === "chain" && name.startsWith("heartbeat-"),
);

describe("heartbeats at the gate", () => {
  it("have a chain for each port, behind all data, with a rule for each secret", () => {
    assert.ok(chain?.kind === "chain");
    assert.equal(chain.name, "heartbeat-203.0.113.1-42425");
    const hashed = chain.rules.filter(({ expressions }) =>
      expressions.some(({ kind }) => kind === "hash"),
    );
    assert.equal(hashed.length, 3);
    // Not one byte of a secret.
    const text = JSON.stringify(objects);
    for (const part of ["first", "other", "xxxx"]) {
      assert.ok(!text.includes(part) && !text.includes(Buffer.from(part).toString("hex")));
    }
    const to = objects.find((one) => one.kind === "chain" && one.name === "to-203.0.113.1");
    assert.ok(to?.kind === "chain");
    const goals = to.rules.map(({ expressions }) => {
      const last = expressions.at(-1);
      return last?.kind === "verdict" && last.verdict.code === "goto" ? last.verdict.chain : "";
    });
    assert.deepEqual(goals, ["tunnel-broker", "heartbeat-203.0.113.1-42425", ""]);
  });

  it("are told by length alone where the kernel has no hash, and that is no difference", async () => {
    assert.ok(chain !== undefined);
    const tried: boolean[] = [];
    const kernel = {
      batch: async () => {
        tried.push(true);
        if (tried.length === 1)
          throw new KernelError("NFT_MSG_NEWRULE ipipou heartbeat-203.0.113.1-42425", 2);
      },
    };
    await executeRuleset(kernel, diffRuleset("ipipou", objects, []));
    assert.equal(tried.length, 2);
    const simpler = withoutHash(chain);
    assert.ok(simpler.kind === "chain" && chain.kind === "chain");
    // Two of one length are one rule.
    assert.equal(simpler.rules.length, chain.rules.length - 1);
    const there = objects.map((one) => (one === chain ? simpler : one));
    assert.deepEqual(diffRuleset("ipipou", objects, there), []);
    assert.equal(lacksHash(new Error("ENOENT")), false);
  });

  it("hash as the kernel does", () => {
    // By a C program of include/linux/jhash.h's reckoning, seed 7, scaled as nft_hash.c does.
    for (const [text, wanted] of [
      ["", 3_735_928_565],
      ["a", 3_410_928_456],
      ["footunnel", 4_267_066_814],
      ["twelve bytes", 1_875_470_371],
      ["thirteen byte", 4_050_921_605],
      ["a secret of the client at home, and some more of it", 2_980_824_514],
    ] as const)
      assert.equal(hashOf(Buffer.from(text), 7), wanted, text);
  });
});
