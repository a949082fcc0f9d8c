/** What a daemon wrote, another one reads back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { adoptable, outerOfStandIns } from "../../../src/apply/adopt.ts";
import { destinationsIn, doorsIn, proofsIn } from "../../../src/apply/nftables/learned.ts";
import { ruleset } from "../../../src/apply/nftables/ruleset.ts";
import type { Observation } from "../../../src/apply/observation.ts";
import type { Configuration } from "../../../src/config/model.ts";
import { formatEndpoint } from "../../../src/net/address.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import { assignIds, idOf, placeholder } from "../../../src/plan/ids.ts";
import type { KnownEndpoint } from "../../../src/plan/situation.ts";
import {
  configuration,
  known,
  listen,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";

const X = "198.51.100.2";
const translated = (text: string, remaining?: number): KnownEndpoint => ({
  ...known(text, remaining),
  translated: true,
});

function observed(config: Configuration, ends: Record<string, KnownEndpoint>): Observation {
  const { resources, gate } = desiredState(config, situation(config, ends));
  const objects = ruleset(gate);
  return {
    devices: { index: () => undefined, name: () => undefined },
    links: [],
    addresses: [],
    routes: [],
    listeners: [],
    proxies: [],
    sysctls: new Map(),
    resources,
    ruleset: {
      kind: "ours",
      objects,
      proofs: proofsIn(objects),
      doors: doorsIn(objects),
      destinations: destinationsIn(objects),
    },
  };
}

function adopted(config: Configuration, ends: Record<string, KnownEndpoint>): string[] {
  return adoptable(config, assignIds(config), observed(config, ends)).map(
    (left) =>
      `${left.tunnel.name}/${left.peer.name} ${formatEndpoint(left.endpoint)}${left.translated ? " translated" : ""}${left.remaining === undefined ? "" : ` ${left.remaining}`}`,
  );
}

const named = (name: string, inner: string, authLifetime = 0) =>
  peer(name, {
    allowedIPs: [prefix(inner)],
    authLifetime,
    // Another key: another id.
    proof: { kind: "key", publicKey: Buffer.from(name.padEnd(32)) },
  });

test("a hub's peers at one address: each its own port and time, the plain one first", () => {
  const config = configuration([
    tunnel("h", [
      named("a", "172.28.0.2/32", 60_000),
      named("b", "172.28.0.3/32", 60_000),
      named("c", "10.7.0.0/16"),
      named("d", "172.28.0.5/32"),
    ]),
  ]);
  const ends = {
    "h/a": translated(`${X}:1`, 1000),
    "h/b": known(`${X}:2`, 2000),
    "h/c": translated(`${X}:3`),
  };
  assert.deepEqual(adopted(config, ends), [
    `h/b ${X}:2 2000`,
    `h/a ${X}:1 translated 1000`,
    `h/c ${X}:3 translated`,
  ]);
});

test("tunnels at one address, in every form", () => {
  const at = (port: number) => ({ listen: listen("203.0.113.1", port) });
  const config = configuration([
    tunnel("d", [named("p", "172.28.0.2/32")], at(1)),
    tunnel("e", [named("p", "172.28.1.2/32")], at(2)),
    tunnel("h", [named("p", "172.28.2.2/32"), named("q", "172.28.2.3/32")], at(3)),
  ]);
  const ends = {
    "d/p": translated(`${X}:1`),
    "e/p": known(`${X}:2`),
    "h/p": known(`${X}:3`),
    "h/q": translated(`${X}:4`),
  };
  assert.deepEqual(adopted(config, ends), [
    `e/p ${X}:2`,
    `h/p ${X}:3`,
    `d/p ${X}:1 translated`,
    `h/q ${X}:4 translated`,
  ]);
});

test("what the gate no longer lets in is not taken over", () => {
  const config = configuration([
    tunnel("h", [named("a", "172.28.0.2/32"), named("b", "172.28.0.3/32")]),
  ]);
  const there = observed(config, { "h/a": known(`${X}:1`), "h/b": translated(`${X}:2`) });
  const without = (set: string): Observation => {
    const objects = (there.ruleset.kind === "ours" ? there.ruleset.objects : []).filter(
      (one) => !(one.kind === "element" && one.set === set),
    );
    const learned = { proofs: proofsIn(objects), doors: [], destinations: destinationsIn(objects) };
    return { ...there, ruleset: { kind: "ours", objects, ...learned } };
  };
  for (const set of ["known-h", "dport-h"]) {
    assert.deepEqual(adoptable(config, assignIds(config), without(set)), []);
  }
});

test("which outer address a stand-in stands for", () => {
  const config = configuration([tunnel("d", [named("p", "172.28.0.2/32")])]);
  const { resources } = observed(config, { "d/p": translated(`${X}:1`) });
  const routes = resources.flatMap((r) => (r.object === "route" ? [r.spec] : []));
  const id = placeholder(idOf(assignIds(config), "d"));
  assert.deepEqual([...outerOfStandIns(routes)], [[id, "203.0.113.1"]]);
});
