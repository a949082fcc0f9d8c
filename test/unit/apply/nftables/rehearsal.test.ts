import assert from "node:assert/strict";
import { test } from "node:test";
import { diffRuleset } from "../../../../src/apply/nftables/diff.ts";
import { rehearsalOf, rehearse } from "../../../../src/apply/nftables/rehearsal.ts";
import { ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import { KernelError } from "../../../../src/netlink/errors.ts";
import { direct, gate, hub, peer, tunnel } from "./gates.ts";

const changes = (...tunnels: Parameters<typeof gate>[0]) =>
  diffRuleset("ipipou", ruleset(gate(tunnels)), []);

test("one of each kind, in a table of its own, hooked to nothing", () => {
  const requests = rehearsalOf("ipipou", changes(direct(), hub()));
  const operations = requests.map(({ operation }) => operation);
  assert.equal(operations[0], "NFT_MSG_NEWTABLE ipipou-rehearsal");
  assert.ok(operations.every((operation) => operation.split(" ")[1] === "ipipou-rehearsal"));
  assert.ok(operations.some((operation) => operation.startsWith("NFT_MSG_NEWRULE")));
  assert.ok(operations.every((operation) => !operation.includes("NEWSETELEM")));
  // NFTA_CHAIN_HOOK: 4, nested.
  for (const { operation, payload } of requests) {
    if (operation.startsWith("NFT_MSG_NEWCHAIN"))
      assert.ok(!Buffer.from(payload).includes(Buffer.from([4, 0x80])));
  }
});

test("a chain that stands already, and is led to, is there as well", () => {
  const port = (number: number) => ruleset(gate([direct({ port: number })]));
  const requests = rehearsalOf("ipipou", diffRuleset("ipipou", port(10_001), port(10_000)));
  const chains = requests.filter(({ operation }) => operation.startsWith("NFT_MSG_NEWCHAIN"));
  const names = chains.map(({ payload }) => Buffer.from(payload).toString("latin1"));
  for (const chain of ["to-203.0.113.1", "tunnel-"]) {
    assert.ok(
      names.some((name) => name.includes(chain)),
      chain,
    );
  }
});

test("as few, however many tunnels there are", () => {
  const many = Array.from({ length: 500 }, (_, i) =>
    tunnel(`t${i}`, [peer(i + 1, ["10.0.0.1/32"])]),
  );
  const few = rehearsalOf("ipipou", changes(...many.slice(0, 20)));
  assert.equal(rehearsalOf("ipipou", changes(...many)).length, few.length);
});

test("nothing to ask where nothing comes", async () => {
  assert.deepEqual(rehearsalOf("ipipou", []), []);
  const gone = diffRuleset("ipipou", [], ruleset(gate([hub()])));
  assert.deepEqual(rehearsalOf("ipipou", gone), []);
  const elements = changes(hub()).filter(({ object }) => object.kind === "element");
  assert.deepEqual(rehearsalOf("ipipou", elements), []);
});

test("each thing that the kernel lacks is told once, without the rehearsal's table", async () => {
  const kernel = {
    rehearse: (_: unknown, requests: readonly { operation: string }[]) =>
      Promise.resolve(
        requests.map(({ operation }) =>
          operation.startsWith("NFT_MSG_NEWRULE ") ? new KernelError(operation, 2) : undefined,
        ),
      ),
  };
  const refusals = await rehearse(kernel, "ipipou", changes(hub()));
  assert.equal(refusals.length, 1);
  assert.match(refusals[0]?.message ?? "", /NFT_MSG_NEWRULE: ENOENT/);
  assert.doesNotMatch(JSON.stringify(refusals), /rehearsal/);
  assert.match(refusals[0]?.mend ?? "", /modprobe/);
});
