/** Each line of what a packet meets, as the rules that say it. The kernel tests send the packets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { epochObjects, peerObjects, ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import type { Expression } from "../../../../src/kernel/nftables/expression.ts";
import type { PayloadWrite } from "../../../../src/kernel/nftables/expressions/payload.ts";
import type { Chain, Element, NftObject, NftSet } from "../../../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../../../src/net/address.ts";
import type { Gate, GateTunnel } from "../../../../src/plan/gate.ts";
import {
  beside,
  direct,
  endpoint,
  gate,
  hub,
  KEY,
  peer,
  SERVER,
  STAND_IN,
  tunnel,
} from "./gates.ts";

/** A rule in one line: loads with what is done to them. */
function words(expressions: readonly Expression[]): string {
  return expressions.map(word).filter(Boolean).join(" ");
}

function word(expression: Expression): string {
  switch (expression.kind) {
    case "payload":
      return `${expression.base[0]}${expression.offset}+${expression.length}`;
    case "payload-write":
      return `write ${expression.base[0]}${expression.offset}+${expression.length} ${checksumWord(expression.checksum)}`;
    case "bitwise":
      return `&${expression.mask}`;
    case "cmp":
      return `${expression.operator} ${expression.value}`;
    case "lookup":
      return `${expression.to === "verdict" ? "vmap " : ""}@${expression.set}`;
    case "range":
      return `in ${expression.first}-${expression.last}`;
    case "verdict":
      return "chain" in expression.verdict
        ? `${expression.verdict.code} ${expression.verdict.chain}`
        : expression.verdict.code;
    case "meta":
      return `meta${expression.key}`;
    case "meta-write":
      return `write meta${expression.key}`;
    case "data":
      return `=${expression.value}`;
    case "limit":
      return `${expression.over ? "over" : "until"} ${expression.rate}/${expression.unit}s burst ${expression.burst}`;
    case "dynset":
      return `${expression.operation} @${expression.set} {${words(expression.expressions)}}`;
    case "queue":
      return `queue ${expression.number}${expression.bypass ? " bypass" : ""}`;
    default:
      return expression.kind;
  }
}

function checksumWord(checksum: PayloadWrite["checksum"]): string {
  return checksum.type === "inet" && checksum.pseudoHeader ? "pseudo" : checksum.type;
}

function rulesOf(objects: readonly NftObject[], name: string): string[] {
  const chain = objects.find((one): one is Chain => one.kind === "chain" && one.name === name);
  assert.ok(chain, `no chain ${name}`);
  return chain.rules.map(({ expressions }) => words(expressions));
}

const rules = (of: Gate, name: string): string[] => rulesOf(ruleset(of), name);

function setOf(of: Gate, name: string): NftSet {
  const set = ruleset(of).find((one): one is NftSet => one.kind === "set" && one.name === name);
  assert.ok(set, `no set ${name}`);
  return set;
}

const elements = (objects: readonly NftObject[]): string[] =>
  objects
    .filter((one): one is Element => one.kind === "element")
    .map(({ set, key }) => `${set} ${key}`);

const hex = (address: string): string =>
  Buffer.from(address.split(".").map(Number)).toString("hex");

describe("the base chain", () => {
  test("only jumps, and accepts what is left", () => {
    const [chain] = ruleset(gate([direct()])).flatMap((one) =>
      one.kind === "chain" && one.name === "prerouting" ? [one] : [],
    );
    assert.deepEqual(chain?.base, { type: "filter", hook: 0, priority: -310, policy: "accept" });
    assert.deepEqual(rules(gate([direct()]), "prerouting"), [
      "n16+4 eq cb007101 goto to-203.0.113.1",
    ]);
  });

  test("asks a map where there are many local addresses", () => {
    const tunnels = [1, 2, 3, 4].map((i) =>
      direct({ name: `t${i}`, local: ipAddress(`203.0.113.${i}`) }),
    );
    assert.equal(rules(gate(tunnels.slice(0, 3)), "prerouting").length, 3);
    assert.deepEqual(rules(gate(tunnels), "prerouting"), ["n16+4 vmap @locals"]);
  });

  test("is not there without tunnels", () => {
    assert.deepEqual(ruleset(gate([])), [{ kind: "table", name: "ipipou", comment: "ipipoud 1" }]);
  });
});

describe("a local address", () => {
  test("UDP to our port, then the guard against bare protocol 4", () => {
    assert.deepEqual(rules(gate([direct()]), "to-203.0.113.1"), [
      "n9+1 eq 11 t2+2 eq 2710 goto tunnel-ipipou0",
      "n9+1 eq 04 drop",
    ]);
  });

  test("a map for many ports", () => {
    const tunnels = [1, 2, 3, 4].map((i) => direct({ name: `t${i}`, port: i }));
    assert.deepEqual(rules(gate(tunnels), "to-203.0.113.1"), [
      "n9+1 eq 11 t2+2 vmap @ports-203.0.113.1",
      "n9+1 eq 04 drop",
    ]);
    assert.ok(elements(ruleset(gate(tunnels))).includes("ports-203.0.113.1 0003"));
  });

  test("remotes of foreign ipip devices pass the guard", () => {
    const remote = ipAddress("192.0.2.7");
    const foreign = { foreignIpip: [{ local: SERVER, remote }] };
    assert.deepEqual(rules(gate([direct()], foreign), "to-203.0.113.1").slice(1), [
      "n9+1 eq 04 n12+4 eq c0000207 accept",
      "n9+1 eq 04 drop",
    ]);
    const elsewhere = { foreignIpip: [{ local: ipAddress("203.0.113.9"), remote }] };
    assert.equal(rules(gate([direct()], elsewhere), "to-203.0.113.1").length, 2);
    const everywhere = { foreignIpip: [{ local: ipAddress("0.0.0.0"), remote }] };
    assert.equal(rules(gate([direct()], everywhere), "to-203.0.113.1").length, 3);
  });

  test("a foreign device that takes anyone's leaves us our peers' addresses", () => {
    const foreign = { foreignIpip: [{ local: SERVER, remote: undefined }] };
    const of = gate([direct()], foreign);
    assert.deepEqual(rules(of, "to-203.0.113.1").slice(1), [
      "n9+1 eq 04 n12+4 @guard-ipipou0 drop",
    ]);
    assert.ok(elements(ruleset(of)).includes(`guard-ipipou0 ${hex("198.51.100.2")}`));
    // A hub's device is the better match for all of it.
    assert.deepEqual(rules(gate([hub()], foreign), "to-203.0.113.1").slice(1), ["n9+1 eq 04 drop"]);
  });
});

describe("data", () => {
  test("of exact peers: one look-up of source, ports and inner source", () => {
    assert.deepEqual(rules(gate([direct()]), "tunnel-ipipou0"), [
      "n12+4 t0+4 t20+4 @known-ipipou0 notrack accept",
      "goto auth-ipipou0",
    ]);
    assert.deepEqual(
      rules(gate([direct({ conntrack: "track" })]), "tunnel-ipipou0")[0],
      "n12+4 t0+4 t20+4 @known-ipipou0 accept",
    );
    const key = `${hex("198.51.100.2")}9c412710${hex("172.28.0.2")}`;
    assert.ok(elements(ruleset(gate([direct()]))).includes(`known-ipipou0 ${key}`));
  });

  test("of peers with prefixes: their own chain of masked compares", () => {
    const of = gate([hub()]);
    assert.deepEqual(rules(of, "tunnel-hub0"), [
      "n12+4 t0+4 t20+4 @known-hub0 notrack accept",
      "n12+4 t0+4 vmap @peers-hub0",
      "goto auth-hub0",
    ]);
    assert.deepEqual(rules(of, "peer-hub0-13"), [
      "t8+1 &f0 neq 40 goto auth-hub0",
      "t4+2 eq 0051 t10+2 neq 0049 goto auth-hub0",
      "t20+4 eq ac1d0005 notrack accept",
      "t20+4 &ffff0000 eq 0a070000 notrack accept",
      "goto auth-hub0",
    ]);
  });

  test("of a peer that may send anything: no compare", () => {
    const any = peer(7, ["10.0.0.0/8", "0.0.0.0/0"]);
    const authentications = [{ payload: 5, timed: false }, KEY];
    assert.deepEqual(rules(gate([tunnel("t", [any], { authentications })]), "peer-t-7"), [
      "t8+1 &f0 neq 40 goto auth-t",
      "t4+2 eq 000d goto auth-t",
      "t4+2 eq 0051 t10+2 neq 0049 goto auth-t",
      "notrack accept",
    ]);
    const none = tunnel("t", [any], { authentications: [] });
    assert.deepEqual(rules(gate([none]), "peer-t-7"), ["notrack accept"]);
  });
});

describe("a translated tunnel", () => {
  test("gets its data at the stand-in, and nobody else reaches that", () => {
    const of = gate([direct({ standIn: STAND_IN })]);
    assert.deepEqual(rules(of, "prerouting"), [
      "n16+4 eq cb007101 goto to-203.0.113.1",
      "n16+4 eq f0000007 goto closed",
    ]);
    assert.deepEqual(rules(of, "closed"), ["drop"]);
    assert.equal(
      rules(of, "tunnel-ipipou0")[0],
      "n12+4 t0+4 t20+4 @known-ipipou0 =f0000007 write n16+4 pseudo notrack accept",
    );
    assert.match(rules(of, "defragment")[0] ?? "", /tproxy$/);
  });

  test("that is tracked gets there after connection tracking, by a map", () => {
    const of = gate([direct({ standIn: STAND_IN, conntrack: "track" }), hub()]);
    assert.equal(rules(of, "tunnel-ipipou0")[0], "n12+4 t0+4 t20+4 @known-ipipou0 accept");
    assert.deepEqual(rules(of, "translate"), [
      "n9+1 eq 11 n16+4 t2+2 @stand-ins write n16+4 pseudo",
    ]);
    assert.deepEqual(elements(ruleset(of)).slice(0, 1), [
      `stand-ins ${hex("203.0.113.1")}27100000`,
    ]);
    const base = ruleset(of).flatMap((one) =>
      one.kind === "chain" && one.name === "translate" ? [one.base?.priority] : [],
    );
    assert.deepEqual(base, [-199]);
  });

  test("that is none needs nothing of all this", () => {
    const names = ruleset(gate([direct(), hub()])).map((one) => ("name" in one ? one.name : ""));
    assert.ok(!names.some((name) => /closed|defragment|translate|stand-ins/.test(name)));
  });
});

describe("authentications", () => {
  test("known endpoints by their own bucket, strangers by the time, then by the limits", () => {
    const of = gate([direct()], { epochs: [0x6920, 0x6921] });
    assert.deepEqual(rules(of, "auth-ipipou0"), [
      "meta6 @tunnels drop",
      "n6+2 &3fff neq 0000 drop",
      "t4+2 eq 0051 n12+4 t0+4 @endpoints-ipipou0 notrack queue 26992",
      "t4+2 eq 0051 notrack goto epochs",
      "drop",
    ]);
    assert.deepEqual(rules(of, "epochs"), [
      "t72+3 eq 006920 goto strangers",
      "t72+3 eq 006921 goto strangers",
      "until 1/1s burst 5 goto strangers",
      "drop",
    ]);
    assert.deepEqual(rules(of, "strangers"), [
      "n12+4 update @sources {over 10/1s burst 10} goto over",
      "n12+4 @seen goto returning",
      "n12+4 add @seen {}",
      "goto newcomers",
    ]);
    assert.deepEqual(rules(of, "returning"), [
      "until 250/1s burst 250 queue 26992",
      "goto newcomers",
    ]);
    assert.deepEqual(rules(of, "newcomers"), [
      "until 500/1s burst 500 queue 26992",
      "n12+4 &00000000 update @limited {}",
      "drop",
    ]);
    // A full set ends its rule, and not the drop.
    assert.deepEqual(rules(of, "over"), [
      "n9+1 eq 11 n12+4 t0+2 @places until 200/1s burst 200 queue 26992",
      "n9+1 eq 11 n12+4 t0+2 add @places {until 10/1s burst 10}",
      "until 50/1s burst 50 queue 26992",
      "n12+4 update @limited {}",
      "drop",
    ]);
    assert.deepEqual(setOf(of, "endpoints-ipipou0").expressions, [
      { kind: "limit", of: "packets", rate: 10, unit: 1, burst: 20, over: false },
    ]);
    assert.equal(setOf(of, "sources").size, 65_535);
    for (const name of ["seen", "places"]) assert.equal(setOf(of, name).size, 65_535);
    assert.deepEqual(
      [setOf(of, "limited").size, setOf(of, "limited").defaultTimeout],
      [65_535, 1000],
    );
  });

  test("without a time go straight to the limits", () => {
    const authentications = [{ payload: 0, timed: false }];
    assert.deepEqual(rules(gate([direct({ authentications })]), "auth-ipipou0").slice(2), [
      "t4+2 eq 0008 n12+4 t0+4 @endpoints-ipipou0 notrack queue 26992",
      "t4+2 eq 0008 notrack goto strangers",
      "drop",
    ]);
  });

  test("that are longer have no bucket of their own", () => {
    const longer = { least: 74, most: 168, timed: true };
    const exact = gate([direct({ longer })]);
    assert.deepEqual(rules(exact, "auth-ipipou0").slice(-2), [
      "t4+2 in 0052-00b0 notrack goto longer",
      "drop",
    ]);
    // No word about clocks for these: data of the same length would draw it.
    assert.deepEqual(rules(exact, "longer"), ["t72+3 eq 006920 goto strangers", "drop"]);
    const chains = epochObjects(exact).map((one) => ("name" in one ? one.name : ""));
    assert.deepEqual(chains, ["epochs", "longer"], "both follow the clock");
    assert.equal(
      rules(gate([direct({ longer: { ...longer, timed: false } })]), "auth-ipipou0").at(-2),
      "t4+2 in 0052-00b0 notrack goto strangers",
    );
    const any = tunnel("t", [peer(7, ["0.0.0.0/0"])], { longer });
    assert.deepEqual(rules(gate([any]), "peer-t-7"), [
      "t8+1 &f0 neq 40 goto auth-t",
      "t4+2 eq 0051 t10+2 neq 0049 goto auth-t",
      "notrack accept",
    ]);
  });

  test("of ours are answered from known endpoints alone", () => {
    const replies = [5, 73];
    const of = gate([direct({ authentications: [], replies, conntrack: "track" })]);
    assert.deepEqual(rules(of, "auth-ipipou0").slice(2), [
      "t4+2 eq 000d n12+4 t0+4 @endpoints-ipipou0 queue 26992",
      "t4+2 eq 0051 n12+4 t0+4 @endpoints-ipipou0 queue 26992",
      "drop",
    ]);
    const names = ruleset(of).map((one) => ("name" in one ? one.name : ""));
    assert.ok(!names.some((name) => /strangers|epochs|sources/.test(name)), "no stranger is heard");
    const both = gate([direct({ replies })]);
    assert.deepEqual(
      rules(both, "auth-ipipou0").filter((rule) => rule.includes("eq 0051")).length,
      2,
      "a length that anyone may send is said once",
    );
    const any = tunnel("t", [peer(7, ["0.0.0.0/0"])], { authentications: [], replies });
    assert.deepEqual(rules(gate([any]), "peer-t-7"), [
      "t4+2 eq 000d goto auth-t",
      "t4+2 eq 0051 t10+2 neq 0049 goto auth-t",
      "notrack accept",
    ]);
  });

  test("that nobody waits for are dropped", () => {
    const of = gate([direct({ authentications: [] })]);
    assert.equal(rules(of, "tunnel-ipipou0")[1], "drop");
    const names = ruleset(of).map((one) => ("name" in one ? one.name : ""));
    assert.ok(!names.some((name) => /auth|strangers|epochs|sources|endpoints/.test(name)));
    assert.deepEqual(epochObjects(of), []);
  });

  test("never go past an absent daemon", () => {
    const queues = ruleset(gate([direct(), hub()])).flatMap((one) =>
      one.kind === "chain" ? one.rules.flatMap(({ expressions }) => expressions) : [],
    );
    const bypasses = queues
      .filter(({ kind }) => kind === "queue")
      .map((one) => "bypass" in one && one.bypass);
    assert.ok(bypasses.length > 3);
    assert.ok(bypasses.every((bypass) => bypass === false));
  });
});

describe("what leaves", () => {
  test("a direct tunnel meets no hook", () => {
    const hooks = ruleset(gate([direct()])).flatMap((one) =>
      one.kind === "chain" && one.base ? [one.name] : [],
    );
    assert.deepEqual(hooks, ["prerouting"]);
  });

  test("a hub's port is written; no element, no packet", () => {
    assert.deepEqual(rules(gate([direct(), hub()]), "output"), [
      "n12+4 eq cb007101 n9+1 eq 11 t0+2 eq 2711 goto from-hub0",
    ]);
    assert.deepEqual(rules(gate([hub()]), "from-hub0"), [
      "n16+4 gte f0000000 goto ids-hub0",
      "n16+4 @dport-hub0 write t2+2 none notrack accept",
      "drop",
    ]);
    assert.match(rules(gate([hub({ checksum: true })]), "from-hub0")[1] ?? "", /write t2\+2 inet/);
  });

  test("to a translated peer's id: port and address are written; no element, no packet", () => {
    const of = hub();
    const with_ = gate([{ ...of, peers: [...of.peers, beside(21, 5)] }]);
    assert.deepEqual(rules(with_, "ids-hub0"), [
      "n16+4 @dport-hub0 write t2+2 none n16+4 @real-hub0 write n16+4 pseudo notrack accept",
      "drop",
    ]);
    const own = elements(ruleset(with_)).filter((one) => /^(dport|real)-/.test(one));
    assert.deepEqual(own, [
      `dport-hub0 ${hex("198.51.100.2")}`,
      `dport-hub0 ${hex("198.51.100.9")}`,
      `dport-hub0 ${hex("240.0.0.21")}`,
      `real-hub0 ${hex("240.0.0.21")}`,
    ]);
    const marked = rules(gate([hub({ mark: 7 })]), "ids-hub0")[0] ?? "";
    assert.match(marked, /pseudo =07000000 write meta3 notrack accept$/);
    assert.ok(!rules(gate([hub({ mark: 7 })]), "from-hub0")[1]?.includes("meta"));
  });

  test("a translated tunnel's address is written", () => {
    const of = gate([direct({ standIn: STAND_IN })]);
    assert.deepEqual(rules(of, "output"), [
      "n12+4 eq f0000007 n9+1 eq 11 t0+2 eq 2710 goto from-ipipou0",
    ]);
    assert.deepEqual(rules(of, "from-ipipou0"), ["=cb007101 write n12+4 pseudo notrack accept"]);
    const both = gate([hub({ standIn: STAND_IN })]);
    assert.deepEqual(rules(both, "from-hub0").slice(1), [
      "n16+4 @dport-hub0 write t2+2 none =cb007101 write n12+4 pseudo notrack accept",
      "drop",
    ]);
  });

  test("many hubs share a map", () => {
    const hubs = [1, 2, 3, 4].map((i) => ({ ...hub({ port: i }), name: `h${i}` }));
    assert.deepEqual(rules(gate(hubs), "output"), ["n9+1 eq 11 n12+4 t0+2 vmap @hubs"]);
    assert.ok(elements(ruleset(gate(hubs))).includes("hubs cb00710100020000"));
  });
});

describe("sets", () => {
  test("have a fixed size where nothing expires, and timeouts where something does", () => {
    const of = (lifetime: number): NftSet[] =>
      ruleset(gate([direct({}, { lifetime }), hub()])).filter(
        (one): one is NftSet => one.kind === "set" && one.name.endsWith("-ipipou0"),
      );
    assert.deepEqual(
      of(0).map(({ size, timeouts }) => [size, timeouts]),
      [
        [1, false],
        [1, false],
      ],
    );
    assert.deepEqual(
      of(5).map(({ size, timeouts }) => [size, timeouts]),
      [
        [0, true],
        [0, true],
      ],
    );
    // Room for all peers, proven or not; the next power of two.
    assert.equal(setOf(gate([hub()]), "known-hub0").size, 4);
  });

  test("count, if asked", () => {
    const counters = { counters: true };
    const counter = [{ kind: "counter", packets: 0n, bytes: 0n }];
    assert.deepEqual(setOf(gate([hub()], counters), "known-hub0").expressions, counter);
    assert.deepEqual(setOf(gate([hub()], counters), "peers-hub0").expressions, counter);
  });

  test("take the time that is left of a proof", () => {
    const timed = ruleset(gate([direct({}, { lifetime: 60_000, remaining: 1500 })]));
    const found = timed.filter((one): one is Element => one.kind === "element" && one.timeout > 0);
    assert.deepEqual(
      found.map(({ set, timeout, expires }) => [set, timeout, expires]),
      [
        ["known-ipipou0", 60_000, 1500],
        ["endpoints-ipipou0", 60_000, 1500],
      ],
    );
  });
});

describe("one peer's part", () => {
  const part = (of: GateTunnel, i: number): NftObject[] => {
    const one = of.peers[i];
    assert.ok(one);
    return peerObjects(gate([of]), of, one);
  };

  test("is what of the whole ruleset is its own", () => {
    const whole = ruleset(gate([hub()]));
    for (const i of [0, 1, 2])
      for (const object of part(hub(), i)) {
        assert.ok(whole.some((other) => JSON.stringify(other) === JSON.stringify(object)));
      }
    assert.deepEqual(elements(part(hub(), 0)), [
      `known-hub0 ${hex("198.51.100.2")}9c412711${hex("172.29.0.2")}`,
      `endpoints-hub0 ${hex("198.51.100.2")}9c412711`,
      `dport-hub0 ${hex("198.51.100.2")}`,
    ]);
    assert.deepEqual(part(hub(), 1), []);
    assert.equal(part(hub(), 2).length, 4);
  });

  test("needs nothing of the tunnel's other peers", () => {
    const [first] = hub().peers;
    assert.ok(first);
    const without = { ...hub(), peers: [] };
    assert.deepEqual(peerObjects(gate([without]), without, first), part(hub(), 0));
  });

  test("of a second one at an endpoint leaves out what an endpoint has once", () => {
    const [first] = hub().peers;
    assert.ok(first);
    const second = { ...first, second: true };
    const sets = peerObjects(gate([hub()]), hub(), second).map((o) => "set" in o && o.set);
    assert.deepEqual(sets, ["known-hub0", "dport-hub0"]);
  });

  test("has nothing to let in while it is not proven", () => {
    const prefixes = peer(3, ["10.0.0.0/8"]);
    const of = tunnel("t", [prefixes]);
    assert.deepEqual(elements(peerObjects(gate([of]), of, prefixes)), []);
    const proven = { ...prefixes, endpoint: endpoint("192.0.2.1", 1) };
    assert.deepEqual(elements(peerObjects(gate([of]), of, proven)), [
      "peers-t c000020100012710",
      "endpoints-t c000020100012710",
    ]);
  });
});
