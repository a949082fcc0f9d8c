import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asFailure } from "../../../src/daemon/failures.ts";
import { NFPROTO_IPV4 } from "../../../src/kernel/nftables/constants.ts";
import { newRule } from "../../../src/kernel/nftables/rule.ts";
import { Failure } from "../../../src/net/failure.ts";
import { KernelError } from "../../../src/netlink/errors.ts";

const ENOENT = 2;
const EOPNOTSUPP = 95;

describe("a refusal at the start", () => {
  it("names the expression that the kernel does not know, and its module", () => {
    const table = { family: NFPROTO_IPV4, name: "t" };
    const rule = newRule(table, "c", {
      comment: undefined,
      expressions: [{ kind: "notrack" }, { kind: "queue", number: 7, bypass: false }],
    });
    const at = (name: string): number => {
      // Before the name: its own header, and that of the NFTA_LIST_ELEM.
      const start = Buffer.from(rule.payload).indexOf(`${name}\0`) - 8;
      return start + 16;
    };
    for (const [name, module] of [
      ["queue", "nft_queue"],
      ["notrack", "nft_ct"],
    ] as const) {
      const answer = { attributeOffset: at(name) };
      const failure = asFailure(new KernelError(rule.operation, ENOENT, answer, rule.payload));
      assert.ok(failure instanceof Failure);
      assert.equal(failure.exitCode, 4);
      assert.match(failure.message, new RegExp(`\`${name}\`.*modprobe ${module}`));
    }
  });

  it("names likely modules where the kernel says nothing of the place", () => {
    const failure = asFailure(new KernelError("NFT_MSG_NEWRULE t c", ENOENT));
    assert.ok(failure instanceof Failure);
    assert.match(failure.message, /modprobe -a nft_queue/);
  });

  it("names ipip where devices of that type are not to be had", () => {
    const answer = { text: "Unknown device type" };
    const failure = asFailure(new KernelError("RTM_NEWLINK ipipou0", EOPNOTSUPP, answer));
    assert.ok(failure instanceof Failure);
    assert.equal(failure.exitCode, 4);
    assert.match(failure.message, /modprobe ipip/);
  });
});
