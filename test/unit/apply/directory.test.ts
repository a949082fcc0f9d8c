/** A directory of 10,000 nodes that changes by one: what is sent to the kernel, counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords } from "../../../src/apply/change.ts";
import { compare } from "../../../src/apply/compare.ts";
import { ruleset } from "../../../src/apply/nftables/ruleset.ts";
import type { Observation } from "../../../src/apply/observation.ts";
import type { Nodes, TunnelConfig } from "../../../src/config/model.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { type Desired, desiredState } from "../../../src/plan/desired.ts";
import { withNodes } from "../../../src/plan/directory.ts";
import { nexthopId } from "../../../src/plan/ids.ts";
import {
  configuration,
  idAt,
  inner,
  known,
  situation,
  tunnel,
} from "../../support/configuration.ts";

const directory = { from: { kind: "file", path: "/hosts.json" }, interval: 300_000 } as const;
const fleet = tunnel("fleet", [], { directory, addresses: [inner("192.168.100.1/24")] });

function crowd(count: number): Map<string, string> {
  return new Map(
    Array.from({ length: count }, (_, i) => [
      `10.7.${i >> 8}.${i & 255}`,
      `198.18.${i >> 8}.${i & 255}`,
    ]),
  );
}

function desired(of: ReadonlyMap<string, string>, before: TunnelConfig = fleet) {
  const nodes: Nodes = new Map(
    [...of].map(([address, host]) => [ipAddress(address), { host, port: 7777 }]),
  );
  const { tunnel: one } = withNodes(before, nodes);
  const config = configuration([one]);
  const endpoints = Object.fromEntries(
    [...of].map(([address, host]) => [`fleet/${address}`, known(`${host}:7777`)]),
  );
  return { one, config, state: desiredState(config, situation(config, endpoints)) };
}

/** As if it stood in the kernel. */
function observed({ resources, gate }: Desired): Observation {
  return {
    ...{ links: [], addresses: [], routes: [], listeners: [], resources },
    ...{ proxies: [], sysctls: new Map<string, string>() },
    devices: { index: () => undefined, name: () => undefined },
    ruleset: { kind: "ours", objects: ruleset(gate), proofs: [], destinations: [], doors: [] },
  };
}

const all = crowd(10_000);
const { one, config, state } = desired(all);
const id = nexthopId(idAt(config, "fleet/10.7.1.1"));

function changes(of: ReadonlyMap<string, string>): readonly string[] {
  const next = desired(of, one);
  const change = compare(next.state, observed(state), { raise: false });
  return [...inWords(change)].sort();
}

test("one of 10,000 moves: its nexthop and its elements", () => {
  assert.deepEqual(changes(new Map([...all, ["10.7.1.1", "203.0.113.77"]])), [
    "add element 203.0.113.77 . 10.7.1.1 in nodes-fleet",
    "add element 203.0.113.77 : 7777 in dport-fleet",
    `change id ${id} via 203.0.113.77 dev fleet onlink`,
    "remove element 198.18.1.1 . 10.7.1.1 in nodes-fleet",
    "remove element 198.18.1.1 : 7777 in dport-fleet",
  ]);
});

test("one goes: what it had, and no set for its neighbours' sake", () => {
  const without = new Map(all);
  without.delete("10.7.1.1");
  assert.deepEqual(
    changes(without),
    [
      `remove id ${id} via 198.18.1.1 dev fleet onlink`,
      "remove element 198.18.1.1 . 10.7.1.1 in nodes-fleet",
      "remove element 198.18.1.1 : 7777 in dport-fleet",
      "remove unreachable 10.7.1.1/32 metric 4294967295",
    ].sort(),
  );
});

test("one comes", () => {
  assert.equal(changes(new Map([...all, ["10.8.0.1", "203.0.113.78"]])).length, 5);
});
