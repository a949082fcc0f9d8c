import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../../../src/apply/change.ts";
import { plannedSteps } from "../../../src/apply/change.ts";
import { inPassing } from "../../../src/apply/compare.ts";
import { diffRuleset } from "../../../src/apply/nftables/diff.ts";
import { peerObjects, tunnelObjects } from "../../../src/apply/nftables/ruleset.ts";
import { inPassage } from "../../../src/apply/passage.ts";
import { contextOf } from "../../../src/plan/desired.ts";
import { diff, inOrder } from "../../../src/plan/diff.ts";
import { assignIds } from "../../../src/plan/ids.ts";
import { endpointResources } from "../../../src/plan/peer.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import { configuration, known, peer, situation, tunnel } from "../../support/configuration.ts";
import { beside, direct, gate, hub, STAND_IN } from "./nftables/gates.ts";

const HERE = known("198.51.100.2:1");
const TRANSLATED: KnownEndpoint = { ...HERE, translated: true };

const said = (change: Change): string[] =>
  plannedSteps(change).map(({ action, object, what }) => {
    const words = what.split(" ");
    return `${action} ${object} ${object === "nftables" ? words.slice(0, 2).join(" ") : words[0]}`;
  });

function steps(count: number, before: KnownEndpoint, after: KnownEndpoint) {
  const peers = ["p", "q"].slice(0, count).map((name) => peer(name));
  const config = configuration([tunnel("t", peers)]);
  const [of] = config.tunnels;
  const [one] = peers;
  assert.ok(of !== undefined && one !== undefined);
  const context = contextOf(config, assignIds(config), of, situation(config));
  const [was, is] = [before, after].map((at) => endpointResources(context, one, at));
  return inOrder(diff(is ?? [], was ?? []));
}

test("a direct tunnel makes room: all is there before device and gate change, one right after the other", () => {
  const [was, is] = [undefined, STAND_IN].map((standIn) => direct({ standIn }));
  assert.ok(was !== undefined && is !== undefined);
  const changes = diffRuleset(
    "ipipou",
    tunnelObjects(gate([is]), is),
    tunnelObjects(gate([was]), was),
  );
  const [first, second] = inPassage(changes, steps(1, HERE, TRANSLATED));
  assert.deepEqual(said(second), ["change link t", "change nftables chain tunnel-ipipou0"]);
  const before = said(first);
  assert.ok(before.includes("add nftables chain from-ipipou0"));
  assert.ok(before.includes("change nftables chain prerouting"));
  assert.deepEqual(before.slice(-2), ["add route local", "add fou port"]);
});

test("a hub's peer moves up: the new way is known before the nexthop changes, the old one until after", () => {
  const it = beside(21, 5);
  const [was, is] = [it, { ...it, translated: false }].map((one) =>
    peerObjects(gate([hub()]), hub(), one),
  );
  const change = inPassing(diffRuleset("ipipou", is ?? [], was ?? []), steps(2, TRANSLATED, HERE));
  const id = /240\.0\.0\.21 /;
  const words = plannedSteps(change).map(({ action, what }) => `${action} ${what}`);
  assert.equal(words.length, 5);
  assert.match(words[0] ?? "", /^add element 198\.51\.100\.2 : 5 in dport-hub0$/);
  assert.match(words[1] ?? "", /^change id \d+ via 198\.51\.100\.2 dev t onlink$/);
  assert.match(words[2] ?? "", /^remove 2\d+\.[\d.]+\/32 dev lo/);
  assert.match(words[3] ?? "", id);
  assert.match(words[4] ?? "", id);
});
