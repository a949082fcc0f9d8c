/** Our table in a real kernel: what was asked for is there, however it came about, and `nft` can read it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { describe as describeObject } from "../../src/apply/nftables/describe.ts";
import { diffRuleset, renewal } from "../../src/apply/nftables/diff.ts";
import { executeRuleset } from "../../src/apply/nftables/execute.ts";
import { observeRuleset } from "../../src/apply/nftables/observe.ts";
import { type NftObject, peerObjects, ruleset } from "../../src/apply/nftables/ruleset.ts";
import type { Element } from "../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../src/net/address.ts";
import { KernelError } from "../../src/netlink/errors.ts";
import type { Gate, GateTunnel } from "../../src/plan/gate.ts";
import { Namespace } from "../support/netns.ts";
import {
  direct,
  endpoint,
  gate,
  goldenGate,
  hub,
  peer,
  SERVER,
  tunnel,
} from "../unit/apply/nftables/gates.ts";

const TABLE = "ipipou";
/** The send buffer of a test's socket is the default: 212,992 bytes. */
const BATCH = 100_000;

describe("nf_tables", () => {
  let namespace: Namespace;
  before(async () => {
    namespace = await Namespace.create();
  });
  after(() => namespace.close());

  async function there(): Promise<readonly NftObject[]> {
    const observed = await observeRuleset(namespace.netfilter, TABLE);
    return observed.kind === "ours" ? observed.objects : [];
  }

  /** Brings the table to it; what was done, in words. */
  async function become(wanted: readonly NftObject[], batch = BATCH): Promise<string[]> {
    const changes = diffRuleset(TABLE, wanted, await there());
    await executeRuleset(namespace.netfilter, changes, batch);
    assert.deepEqual(diffRuleset(TABLE, wanted, await there()), []);
    return changes.map(({ action, object, set }) => `${action} ${describeObject(object, set)}`);
  }

  const nft = (...args: string[]): string => namespace.run("nft", ...args);

  function many(prefix: string, of: (i: number) => Partial<GateTunnel>): GateTunnel[] {
    return [1, 2, 3, 4, 5].map((i) => ({
      ...hub({ port: 20_000 + i, ...of(i) }),
      name: prefix + i,
    }));
  }

  test("from any gate to any other", async () => {
    const timed = { lifetime: 60_000, remaining: 30_000 };
    const locals = many("m:", (i) => ({ local: ipAddress(`203.0.113.${i}`) }));
    const ports = many("p", (i) => ({ port: 21_000 + i }));
    const foreign = [{ local: SERVER, remote: ipAddress("192.0.2.7") }];
    const gates: (Gate | undefined)[] = [
      gate([direct()]),
      gate([direct(), hub()], { counters: true }),
      gate([direct({}, timed), hub()]),
      gate([direct({ conntrack: "track" }, timed)]),
      undefined,
      gate([direct(), hub(), ...locals, ...ports], { foreignIpip: foreign }),
      gate([direct(), ...ports.slice(0, 4)], { epochs: [1, 2] }),
      gate([hub({ authentications: [{ payload: 0, timed: false }] })]),
      gate([direct({ authentications: [] })]),
      gate([]),
      everyAnswer(),
      goldenGate(),
      gate([direct()]),
    ];
    for (const wanted of gates) await become(wanted === undefined ? [] : ruleset(wanted));
  });

  test("nothing to do when all is as it should be, and a stranger's change is undone", async () => {
    const wanted = ruleset(gate([direct(), hub()]));
    await become(wanted);
    assert.deepEqual(await become(wanted), []);
    nft("add", "rule", "ip", TABLE, "prerouting", "meta", "mark", "set", "1");
    nft("delete", "element", "ip", TABLE, "dport-hub0", "{ 198.51.100.2 }");
    nft("add", "set", "ip", TABLE, "mine", "{ type ipv4_addr; elements = { 192.0.2.1 }; }");
    assert.deepEqual(await become(wanted), [
      "change chain prerouting",
      "add element 198.51.100.2 : 40001 in dport-hub0",
      "remove set mine",
      "remove element 192.0.2.1 in mine",
    ]);
  });

  /** Longer proofs, and answers to what we send. */
  function everyAnswer(): Gate {
    const longer = { least: 74, most: 168, timed: true };
    const any = peer(7, ["0.0.0.0/0"], { endpoint: endpoint("198.51.100.7", 7) });
    const replies = [7, 73];
    return gate([
      tunnel("any0", [any], { longer, port: 10_007 }),
      direct({ authentications: [], replies }),
    ]);
  }

  test("what nft lists of longer proofs and answers can be loaded again too", async () => {
    await become(ruleset(everyAnswer()));
    assert.deepEqual(await become(ruleset(everyAnswer())), []);
    const listed = nft("list", "ruleset");
    assert.match(listed, /@th,32,16 0x52-0xb0 notrack goto longer/);
    nft("flush", "ruleset");
    execFileSync("ip", ["netns", "exec", namespace.name, "nft", "-f", "-"], { input: listed });
    assert.equal(nft("list", "ruleset"), listed);
  });

  test("what nft lists can be loaded again, and is the same then", async () => {
    await become(ruleset(goldenGate()));
    const listed = nft("list", "ruleset");
    assert.match(listed, /comment "ipipoud 1"/);
    assert.match(listed, /ip saddr \. @th,0,32 \. @th,160,32 @known-ipipou0 notrack accept/);
    assert.match(listed, /queue to 26992/);
    assert.doesNotMatch(listed, /bypass/);
    nft("flush", "ruleset");
    execFileSync("ip", ["netns", "exec", namespace.name, "nft", "-f", "-"], {
      // What is left of a timeout grows less meanwhile.
      input: listed.replaceAll(/ expires [0-9a-z]+/g, ""),
    });
    const again = nft("list", "ruleset");
    const steady = (text: string): string => text.replaceAll(/ expires [0-9a-z]+/g, "");
    assert.equal(steady(again), steady(listed));
    // nft has other bytes for some of the same words, so rules may change; peers' elements don't.
    const changed = await become(ruleset(goldenGate()));
    assert.deepEqual(
      changed.filter((what) => /(known|endpoints|peers|dport)-/.test(what)),
      [],
    );
  });

  test("a proof is found again: endpoint, inner addresses, time left", async () => {
    const timed = { lifetime: 60_000, remaining: 30_000 };
    await become(ruleset(gate([direct({}, timed), hub()], { counters: true })));
    const observed = await observeRuleset(namespace.netfilter, TABLE);
    assert.ok(observed.kind === "ours");
    const found = new Map(
      observed.proofs.map((proof) => [`${proof.tunnel} ${proof.endpoint.address}`, proof]),
    );
    assert.deepEqual([...found.keys()].sort(), [
      "hub0 198.51.100.2",
      "hub0 198.51.100.9",
      "ipipou0 198.51.100.2",
    ]);
    const own = found.get("ipipou0 198.51.100.2");
    assert.deepEqual(own?.endpoint, endpoint("198.51.100.2", 40_001));
    assert.deepEqual(own?.inner, [{ address: "172.28.0.2", length: 32 }]);
    assert.ok((own?.remaining ?? 0) > 0 && (own?.remaining ?? 0) <= 30_000);
    assert.deepEqual(own?.received, { packets: 0n, bytes: 0n });
    const prefixes = found.get("hub0 198.51.100.9");
    assert.equal(prefixes?.peer, 13);
    assert.deepEqual(prefixes?.inner, [
      { address: "172.29.0.5", length: 32 },
      { address: "10.7.0.0", length: 16 },
    ]);
    assert.deepEqual(observed.doors, [
      { tunnel: "ipipou0", local: SERVER, port: 10_000 },
      { tunnel: "hub0", local: SERVER, port: 10_001 },
    ]);
  });

  test("a renewed proof lasts its whole time again", async () => {
    const wanted = direct({}, { lifetime: 600_000, remaining: 1000 });
    const gateThen = gate([wanted]);
    await become(ruleset(gateThen));
    const [before] = wanted.peers;
    assert.ok(before);
    const objects = peerObjects(gateThen, wanted, { ...before, remaining: undefined });
    // Once while the elements are there, once after they have expired.
    for (let i = 0; i < 2; i++) {
      await executeRuleset(namespace.netfilter, renewal(TABLE, objects));
      const elements = (await there()).filter(
        (object): object is Element => object.kind === "element" && object.timeout > 0,
      );
      assert.equal(elements.length, 2);
      for (const { expires } of elements) assert.ok((expires ?? 0) > 500_000, `${expires}`);
      for (const name of ["known-ipipou0", "endpoints-ipipou0"]) {
        if (i === 0) nft("flush", "set", "ip", TABLE, name);
      }
    }
  });

  test("one peer's roam is a handful of changes, whatever else is there", async () => {
    const peers = Array.from({ length: 2000 }, (_, i) =>
      peer(100 + i, [`172.${16 + (i >> 8)}.${i & 255}.1/32`], {
        endpoint: endpoint(`198.51.${100 + (i >> 8)}.${i & 255}`, 40_000),
      }),
    );
    const crowd = tunnel("hub0", peers);
    const crowdGate = gate([crowd]);
    await become(ruleset(crowdGate));
    const [first, ...others] = peers;
    assert.ok(first);
    const roamed = { ...first, endpoint: endpoint("192.0.2.99", 7) };
    const changes = diffRuleset(
      TABLE,
      peerObjects(crowdGate, crowd, roamed),
      peerObjects(crowdGate, crowd, first),
    );
    assert.equal(changes.length, 6);
    await executeRuleset(namespace.netfilter, changes);
    const after = { ...crowd, peers: [roamed, ...others] };
    assert.deepEqual(diffRuleset(TABLE, ruleset(gate([after])), await there()), []);
    // And the whole crowd to a set of another kind, in more than one batch.
    const timed = peers.map((one) => ({ ...one, lifetime: 3_600_000 }));
    await become(ruleset(gate([tunnel("hub0", timed)])));
  });

  test("a table that is not ours is told apart, and gives an error where it is written to", async () => {
    await become([]);
    assert.deepEqual(await observeRuleset(namespace.netfilter, TABLE), { kind: "absent" });
    nft("add", "table", "ip", TABLE);
    assert.deepEqual(await observeRuleset(namespace.netfilter, TABLE), { kind: "foreign" });
    nft("delete", "table", "ip", TABLE);
    nft("add", "table", "ip6", TABLE);
    assert.deepEqual(await observeRuleset(namespace.netfilter, TABLE), { kind: "absent" });
    const [change] = diffRuleset(TABLE, ruleset(gate([])), []);
    assert.ok(change);
    await assert.rejects(
      executeRuleset(namespace.netfilter, [{ ...change, action: "remove" }]),
      (error) => error instanceof KernelError && error.code === "ENOENT",
    );
  });
});
