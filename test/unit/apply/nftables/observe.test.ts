import assert from "node:assert/strict";
import { test } from "node:test";
import { destinationsIn, doorsIn, proofsIn } from "../../../../src/apply/nftables/learned.ts";
import { observeRuleset } from "../../../../src/apply/nftables/observe.ts";
import { ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import { newTable } from "../../../../src/kernel/nftables/table.ts";
import { KernelError } from "../../../../src/netlink/errors.ts";
import type { Message, Request } from "../../../../src/netlink/request.ts";
import { beside, direct, endpoint, gate, hub, peer, prefix, SERVER, tunnel } from "./gates.ts";

function tableWith(comment: string | undefined, name = "ipipou"): Message {
  const { type, payload } = newTable(2, { kind: "table", name, comment });
  return { type, flags: 0, sequence: 1, payload: Buffer.from(payload) };
}

const observed = (...messages: readonly Message[]) =>
  observeRuleset({ dump: () => Promise.resolve([...messages]) }, "ipipou");

test("a table is ours by its comment alone", async () => {
  assert.deepEqual(await observed(), { kind: "absent" });
  assert.deepEqual(await observed(tableWith("ipipoud 1", "other")), { kind: "absent" });
  assert.deepEqual(await observed(tableWith(undefined)), { kind: "foreign" });
  assert.deepEqual(await observed(tableWith("mine")), { kind: "foreign" });
  assert.equal((await observed(tableWith("ipipoud 0.9"))).kind, "ours");
});

test("a table that goes while it is read is looked for anew, a few times", async () => {
  const gone = new KernelError("NFT_MSG_GETSET ipipou", 2);
  const looking = (times: number) => {
    let looks = 0;
    const dump = async ({ operation }: Request): Promise<Message[]> => {
      if (operation.startsWith("NFT_MSG_GETTABLE")) looks++;
      const there = looks <= times;
      if (!there) return [];
      if (operation.startsWith("NFT_MSG_GETSET")) throw gone;
      return [tableWith("ipipoud 1")];
    };
    return observeRuleset({ dump }, "ipipou");
  };
  assert.deepEqual(await looking(1), { kind: "absent" });
  await assert.rejects(looking(1000), /NFT_MSG_GETSET ipipou: ENOENT/);
});

test("proofs: endpoints with all their inner addresses, and the time left", () => {
  const both = peer(9, ["172.28.0.2/32", "172.28.0.9/32"], {
    endpoint: endpoint("198.51.100.2", 40_001),
    lifetime: 60_000,
    remaining: 1234,
  });
  const proofs = proofsIn(ruleset(gate([tunnel("a:b", [both]), hub()])));
  assert.deepEqual(
    proofs.map(({ tunnel: name, endpoint: from, inner, peer: id, remaining }) => [
      name,
      from.address,
      from.port,
      inner,
      id,
      remaining,
    ]),
    [
      ["a:b", "198.51.100.2", 40_001, both.inner, undefined, 1234],
      ["hub0", "198.51.100.2", 40_001, [prefix("172.29.0.2/32")], undefined, undefined],
      ["hub0", "198.51.100.9", 7, [prefix("172.29.0.5/32"), prefix("10.7.0.0/16")], 13, undefined],
    ],
  );
});

test("proofs: prefixes of every length", () => {
  for (let length = 0; length < 32; length++) {
    const one = peer(1, [`0.0.0.0/${length}`], { endpoint: endpoint("192.0.2.1", 1) });
    const [proof] = proofsIn(ruleset(gate([tunnel("t", [one])])));
    assert.deepEqual(proof?.inner, one.inner);
  }
});

test("doors: from rules and from maps, for every address", () => {
  assert.deepEqual(doorsIn(ruleset(gate([direct(), hub()]))), [
    { tunnel: "ipipou0", local: SERVER, port: 10_000 },
    { tunnel: "hub0", local: SERVER, port: 10_001 },
  ]);
  const many = [1, 2, 3, 4, 5].map((i) => direct({ name: `t${i}`, port: i }));
  assert.deepEqual(
    doorsIn(ruleset(gate(many))).map(({ tunnel: name, port }) => [name, port]),
    [1, 2, 3, 4, 5].map((i) => [`t${i}`, i]),
  );
});

test("destinations: by outer address, and by the id of a translated peer", () => {
  const of = hub();
  const objects = ruleset(gate([direct(), { ...of, peers: [...of.peers, beside(21, 5)] }]));
  assert.deepEqual(
    destinationsIn(objects).map(({ tunnel: name, nextHop, endpoint: to }) => [
      ...[name, nextHop, to.address, to.port],
    ]),
    [
      ["hub0", "198.51.100.2", "198.51.100.2", 40_001],
      ["hub0", "198.51.100.9", "198.51.100.9", 7],
      ["hub0", "240.0.0.21", "198.51.100.2", 5],
    ],
  );
});
