/** Other people's rules, and what follows from them for a packet of which not everything is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Arriving, type Fate, fateIn } from "../../../../src/apply/nftables/firewall.ts";
import type { FirewallSet, FirewallTable } from "../../../../src/apply/nftables/foreign.ts";
import type { Verdict } from "../../../../src/kernel/nftables/data.ts";
import type { Expression } from "../../../../src/kernel/nftables/expression.ts";
import type { BaseChain, Chain } from "../../../../src/kernel/nftables/objects.ts";
import { ipAddress } from "../../../../src/net/address.ts";

// include/uapi/linux/netfilter/nf_tables.h: NFT_META_*, NFT_CT_STATE; NF_INET_*.
const L4PROTO = 16;
const IIF = 4;
const IIFNAME = 6;
const MARK = 3;
const STATE = 0;
const PREROUTING = 0;
const INPUT = 1;
const FORWARD = 2;

const packet: Arriving = {
  device: "eth0",
  index: 2,
  local: ipAddress("203.0.113.1"),
  port: 10_000,
  from: undefined,
  state: "new",
};

const verdict = (code: "accept" | "drop" | "return"): Expression => ({
  kind: "verdict",
  verdict: { code },
});
const lead = (code: "jump" | "goto", chain: string): Expression => ({
  kind: "verdict",
  verdict: { code, chain },
});
const accept = verdict("accept");
const drop = verdict("drop");
const equals = (value: string): Expression => ({ kind: "cmp", from: 0, operator: "eq", value });
const differs = (value: string): Expression => ({ kind: "cmp", from: 0, operator: "neq", value });
const unknown = (name: string): Expression => ({ kind: "unknown", name });
const udp: Expression[] = [{ kind: "meta", key: L4PROTO, to: 0 }, equals("11")];
const load: Expression = { kind: "payload", base: "transport", offset: 2, length: 2, to: 0 };
const dport = (port: string): Expression[] => [...udp, load, equals(port)];
const source = (address: string): Expression[] => [
  { kind: "payload", base: "network", offset: 12, length: 4, to: 0 },
  equals(address),
];
/** `ct state …` as nft writes it: masked, in the host's byte order. */
const state = (mask: string): Expression[] => [
  { kind: "ct", key: STATE, to: 0 },
  { kind: "bitwise", from: 0, to: 0, mask, xor: "00000000" },
  differs("00000000"),
];
const look = (set: string, to?: "verdict", invert = false): Expression => ({
  ...{ kind: "lookup", set, from: 0, invert },
  to: to ?? undefined,
});

const OUR_PORT = "2710";

function chain(name: string, rules: readonly Expression[][], base?: Partial<BaseChain>): Chain {
  return {
    ...{ kind: "chain", name, comment: undefined },
    base:
      base === undefined
        ? undefined
        : { type: "filter", hook: INPUT, priority: 0, policy: "accept", ...base },
    rules: rules.map((expressions) => ({ expressions, comment: undefined })),
  };
}

interface More {
  readonly chains?: readonly Chain[];
  readonly sets?: Readonly<Record<string, FirewallSet>>;
  readonly whole?: boolean;
}

function table(chains: readonly Chain[], { sets = {}, whole = true }: More = {}): FirewallTable {
  return { family: "inet", name: "f", chains, whole, sets: new Map(Object.entries(sets)) };
}

/** In a chain at input whose policy is to drop. */
function fate(rules: readonly Expression[][], more: More = {}, of: Partial<Arriving> = {}): Fate {
  const input = chain("input", rules, { policy: "drop" });
  return fateIn(table([input, ...(more.chains ?? [])], more), { ...packet, ...of });
}

test("policy, and the rules before it", () => {
  assert.equal(fate([]), "dropped");
  assert.equal(fate([[...dport(OUR_PORT), accept]]), "accepted");
  assert.equal(fate([[...dport("0035"), accept]]), "dropped");
  assert.equal(fate([[...udp, unknown("reject")]]), "dropped");
  const open = chain("input", [[...udp, drop]], {});
  assert.equal(fateIn(table([open]), packet), "dropped");
});

test("what we don't know leaves it open", () => {
  const mark: Expression[] = [{ kind: "meta", key: MARK, to: 0 }, equals("00000001")];
  assert.equal(fate([[...mark, accept]]), "unknown");
  assert.equal(fate([[...source("c6336402"), accept]]), "unknown");
  assert.equal(fate([[unknown("match"), accept]]), "unknown");
  assert.equal(fate([[unknown("match"), drop]]), "dropped", "either way");
  assert.equal(
    fate([
      [...source("c6336402"), drop],
      [...dport(OUR_PORT), accept],
    ]),
    "unknown",
  );
  assert.equal(
    fate([[{ kind: "queue", first: 0, last: 0, bypass: false, fanout: false } as never]]),
    "unknown",
  );
  assert.equal(fate([[...dport(OUR_PORT), accept]], { whole: false }), "unknown");
});

test("what we know of a peer", () => {
  const from = { address: ipAddress("198.51.100.2"), port: 40_001 };
  const rule = [[...source("c6336402"), accept]];
  assert.equal(fate(rule, {}, { from }), "accepted");
  assert.equal(fate([[...source("c6336403"), accept]], {}, { from }), "dropped");
});

test("the device that it comes by, with and without a wildcard", () => {
  const name = (hex: string): Expression[] => [{ kind: "meta", key: IIFNAME, to: 0 }, equals(hex)];
  const whole = Buffer.from("eth0".padEnd(16, "\0")).toString("hex");
  assert.equal(fate([[...name(whole), accept]]), "accepted");
  assert.equal(fate([[...name(Buffer.from("eth").toString("hex")), accept]]), "accepted");
  assert.equal(fate([[...name(Buffer.from("wl").toString("hex")), accept]]), "dropped");
  assert.equal(fate([[...name(whole), accept]], {}, { device: undefined }), "unknown");
  const lo: Expression[] = [{ kind: "meta", key: IIF, to: 0 }, equals("01000000"), accept];
  assert.equal(fate([lo]), "dropped");
  assert.equal(fate([lo], {}, { index: undefined }), "unknown");
});

test("connection tracking", () => {
  const established = [...state("06000000"), accept];
  const fresh = [...state("08000000"), ...dport(OUR_PORT), accept];
  assert.equal(fate([established, fresh]), "accepted");
  assert.equal(fate([established, fresh], {}, { state: "untracked" }), "dropped");
  assert.equal(fate([established], {}, { state: "established" }), "accepted");
  assert.equal(fate([established]), "dropped");
});

test("chains that are jumped to, and left", () => {
  const ours = (rules: Expression[][]) => ({ chains: [chain("ours", rules)] });
  const accepting = [...dport(OUR_PORT), accept];
  assert.equal(fate([[lead("jump", "ours")]], ours([accepting])), "accepted");
  assert.equal(fate([[lead("jump", "ours")], accepting], ours([[verdict("return")]])), "accepted");
  assert.equal(fate([[lead("goto", "ours")], accepting], ours([])), "dropped", "behind a goto");
  assert.equal(fate([[lead("jump", "ours")], accepting], ours([[...udp, drop]])), "dropped");
  const endless = ours([[lead("jump", "ours")]]);
  assert.equal(fate([[lead("jump", "ours")]], endless), "unknown");
});

test("sets of ports, intervals, maps of verdicts", () => {
  const bound = (key: string, ends = false, data?: string | Verdict) => ({ key, ends, data });
  const ports = { intervals: false, bounds: [bound("0035"), bound(OUR_PORT)] };
  const rule = [[...udp, load, look("ports"), accept]];
  assert.equal(fate(rule, { sets: { ports } }), "accepted");
  assert.equal(fate(rule, { sets: { ports: { ...ports, bounds: [bound("0035")] } } }), "dropped");
  assert.equal(fate(rule), "unknown", "a set that could not be read");
  const not = [[...udp, load, look("ports", undefined, true), accept]];
  assert.equal(fate(not, { sets: { ports } }), "dropped");
  const range = (first: string, end: string) => ({
    sets: {
      ports: { intervals: true, bounds: [bound("0000", true), bound(first), bound(end, true)] },
    },
  });
  assert.equal(fate(rule, range("2328", "2711")), "accepted");
  assert.equal(fate(rule, range("2328", "2710")), "dropped", "the end is outside");
  assert.equal(fate(rule, range("2711", "ffff")), "dropped");
  const states = {
    intervals: false,
    bounds: [
      bound("02000000", false, { code: "accept" } as const),
      bound("01000000", false, { code: "drop" } as const),
    ],
  };
  const vmap: Expression[][] = [[{ kind: "ct", key: STATE, to: 0 }, look("states", "verdict")]];
  assert.equal(fate(vmap, { sets: { states } }, { state: "established" }), "accepted");
  assert.equal(fate(vmap, { sets: { states } }), "dropped", "by the policy");
});

test("only what packets for us pass: filters at prerouting and input", () => {
  const at = (hook: number, type: BaseChain["type"] = "filter") =>
    fateIn(table([chain("c", [], { hook, type, policy: "drop" })]), packet);
  assert.equal(at(INPUT), "dropped");
  assert.equal(at(PREROUTING), "dropped");
  assert.equal(at(FORWARD), "accepted");
  assert.equal(at(PREROUTING, "nat"), "accepted");
});
