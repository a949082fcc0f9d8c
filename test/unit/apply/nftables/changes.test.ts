import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describe as describeObject } from "../../../../src/apply/nftables/describe.ts";
import { beforeAndAfter, diffRuleset, renewal } from "../../../../src/apply/nftables/diff.ts";
import type { NftChange } from "../../../../src/apply/nftables/nft-change.ts";
import { batches } from "../../../../src/apply/nftables/requests.ts";
import { peerObjects, ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import type { NftObject } from "../../../../src/kernel/nftables/objects.ts";
import type { Gate, GateTunnel } from "../../../../src/plan/gate.ts";
import { direct, endpoint, gate, hub, peer, tunnel } from "./gates.ts";

const TABLE = "ipipou";
const diff = (wanted: Gate, there: Gate) => diffRuleset(TABLE, ruleset(wanted), ruleset(there));
const what = ({ object, set }: NftChange): string => describeObject(object, set);
const said = (changes: ReturnType<typeof diffRuleset>): string[] =>
  changes.map((change) => `${change.action} ${what(change)}`);
const operations = (changes: ReturnType<typeof diffRuleset>): string[][] =>
  batches(changes).map((batch) =>
    batch.map(({ operation }) => operation.replace(/NFT_MSG_(\S+) ipipou/, "$1").trim()),
  );

describe("differences", () => {
  test("none", () => {
    assert.deepEqual(diff(gate([direct(), hub()]), gate([direct(), hub()])), []);
  });

  test("in words", () => {
    const timed = gate([direct({}, { lifetime: 9000 })]);
    assert.deepEqual(said(diff(timed, gate([direct()]))), [
      "change set known-ipipou0",
      "change set endpoints-ipipou0",
      "change chain tunnel-ipipou0",
      "change chain auth-ipipou0",
      "add element 198.51.100.2 . 40001 . 172.28.0.2 in known-ipipou0",
      "add element 198.51.100.2 . 40001 in endpoints-ipipou0",
    ]);
    assert.deepEqual(said(diff(gate([direct()], { epochs: [1] }), gate([direct()]))), [
      "change chain epochs",
    ]);
  });

  test("name the interface that they are about", () => {
    const odd = gate([direct({ name: "a:b-ü" })]);
    const tunnels = new Set(diff(odd, gate([])).map(({ tunnel }) => tunnel));
    assert.deepEqual(tunnels, new Set([null, "a:b-ü"]));
  });

  test("the time that is left is none, nor is a tick", () => {
    const of = (lifetime: number, remaining?: number): Gate =>
      gate([direct({}, { lifetime, remaining })]);
    assert.deepEqual(diff(of(9000, 5), of(8996, 4000)), []);
    assert.equal(diff(of(9000), of(8000)).length, 2);
  });

  test("a comment of another version is left alone", () => {
    const there = ruleset(gate([direct()])).map(
      (object): NftObject =>
        object.kind === "table" ? { ...object, comment: "ipipoud 0" } : object,
    );
    assert.deepEqual(diffRuleset(TABLE, ruleset(gate([direct()])), there), []);
  });

  test("a table that goes takes all with it", () => {
    const there = ruleset(gate([direct(), hub()]));
    assert.deepEqual(said(diffRuleset(TABLE, [], there)), ["remove table ip ipipou"]);
    assert.deepEqual(operations(diffRuleset(TABLE, [], there)), [["DELTABLE"]]);
  });

  test("guards stand before listeners do and go after them, peers the other way round", () => {
    const start = beforeAndAfter(diff(gate([direct()]), gate([])));
    assert.ok(start.before.some((change) => what(change) === "element ipipou0 in tunnels"));
    assert.deepEqual(said(start.after), [
      "add element 198.51.100.2 . 40001 . 172.28.0.2 in known-ipipou0",
      "add element 198.51.100.2 . 40001 in endpoints-ipipou0",
    ]);
    const stop = beforeAndAfter(diff(gate([direct()]), gate([direct(), hub()])));
    assert.ok(stop.before.every(({ tunnel, action }) => tunnel === "hub0" || action === "change"));
    assert.ok(stop.after.some((change) => what(change) === "chain tunnel-hub0"));
    const renewed = beforeAndAfter(diff(gate([direct({}, { lifetime: 9 })]), gate([direct()])));
    assert.deepEqual(renewed.after, []);
  });
});

describe("messages", () => {
  test("come in an order that the kernel takes", () => {
    assert.deepEqual(operations(diff(gate([direct({ authentications: [] })]), gate([]))), [
      [
        "NEWSET known-ipipou0",
        "NEWCHAIN prerouting",
        "NEWCHAIN to-203.0.113.1",
        "NEWCHAIN tunnel-ipipou0",
        "NEWRULE prerouting",
        "NEWRULE to-203.0.113.1",
        "NEWRULE to-203.0.113.1",
        "NEWRULE tunnel-ipipou0",
        "NEWRULE tunnel-ipipou0",
        "NEWSETELEM known-ipipou0",
      ],
    ]);
  });

  test("replace a set together with the rules that use it", () => {
    const [batch] = operations(diff(gate([direct({}, { lifetime: 9000 })]), gate([direct()])));
    assert.deepEqual(batch, [
      "DELRULE tunnel-ipipou0",
      "DELRULE auth-ipipou0",
      "DELSET known-ipipou0",
      "NEWSET known-ipipou0",
      "DELSET endpoints-ipipou0",
      "NEWSET endpoints-ipipou0",
      ...Array(2).fill("NEWRULE tunnel-ipipou0"),
      ...Array(5).fill("NEWRULE auth-ipipou0"),
      "NEWSETELEM known-ipipou0",
      "NEWSETELEM endpoints-ipipou0",
    ]);
  });

  test("a roam of one peer", () => {
    const of = hub();
    const [first] = of.peers;
    assert.ok(first);
    const roamed = { ...first, endpoint: endpoint("192.0.2.9", 4) };
    const parts = (one: typeof first): NftObject[] => peerObjects(gate([of]), of, one);
    const changes = diffRuleset(TABLE, parts(roamed), parts(first));
    assert.deepEqual(operations(changes), [
      [
        "DELSETELEM known-hub0",
        "DELSETELEM endpoints-hub0",
        "DELSETELEM dport-hub0",
        "NEWSETELEM known-hub0",
        "NEWSETELEM endpoints-hub0",
        "NEWSETELEM dport-hub0",
      ],
    ]);
    const port = { ...first, endpoint: endpoint("198.51.100.2", 4) };
    assert.deepEqual(said(diffRuleset(TABLE, parts(port), parts(first))), [
      "add element 198.51.100.2 . 4 . 172.29.0.2 in known-hub0",
      "add element 198.51.100.2 . 4 in endpoints-hub0",
      "change element 198.51.100.2 : 4 in dport-hub0",
      "remove element 198.51.100.2 . 40001 . 172.29.0.2 in known-hub0",
      "remove element 198.51.100.2 . 40001 in endpoints-hub0",
    ]);
  });

  test("renew and remove what could have expired meanwhile", () => {
    const of = direct({}, { lifetime: 9000 });
    const [only] = of.peers;
    assert.ok(only);
    const objects = peerObjects(gate([of]), of, only);
    const again = ["NEWSETELEM", "DELSETELEM", "NEWSETELEM"];
    assert.deepEqual(operations(renewal(TABLE, objects)), [
      [
        ...again.map((name) => `${name} known-ipipou0`),
        ...again.map((name) => `${name} endpoints-ipipou0`),
      ],
    ]);
    assert.deepEqual(operations(diffRuleset(TABLE, [], objects)), [
      [
        ...again.slice(0, 2).map((name) => `${name} known-ipipou0`),
        ...again.slice(0, 2).map((name) => `${name} endpoints-ipipou0`),
      ],
    ]);
    const stays = direct();
    assert.deepEqual(renewal(TABLE, ruleset(gate([stays]))), []);
  });

  test("no chain is ever empty between two batches, nothing exceeds its limit", () => {
    const peers = Array.from({ length: 20_000 }, (_, i) =>
      peer(i, [`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`], {
        endpoint: endpoint(`172.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, 1),
        lifetime: 1000,
      }),
    );
    const crowd: GateTunnel = tunnel("hub0", peers);
    const limit = 200_000;
    const cut = batches(diff(gate([crowd]), gate([])), limit);
    assert.ok(cut.length > 10);
    for (const batch of cut) {
      const bytes = batch.reduce((sum, { payload }) => sum + 16 + payload.length, 0);
      assert.ok(bytes <= limit, `${bytes} bytes`);
      for (const { payload } of batch) assert.ok(payload.length < 65_000);
    }
    const [first = []] = cut;
    assert.ok(first.some(({ operation }) => operation.includes("NEWRULE")));
    // As small as it gets: a chain's rules still go and come together.
    const changed = batches(diff(gate([direct({ conntrack: "track" })]), gate([direct()])), 1);
    for (const batch of changed) {
      const flushes = batch.some(({ operation }) => operation.includes("DELRULE"));
      assert.equal(
        flushes,
        batch.some(({ operation }) => operation.includes("NEWRULE")),
      );
    }
  });

  test("nothing to do is nothing to send", () => {
    assert.deepEqual(batches([]), []);
  });
});
