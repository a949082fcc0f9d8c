import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts, ModuleState } from "../../../../src/apply/host/facts.ts";
import type { PeerConfig } from "../../../../src/config/model.ts";
import { Secret } from "../../../../src/config/secret.ts";
import { ipAddress } from "../../../../src/net/address.ts";
import type { FouListener } from "../../../../src/net/objects.ts";
import {
  configuration,
  dialled,
  inner,
  listen,
  peer,
  prefix,
  tunnel,
  underlay,
} from "../../../support/configuration.ts";
import {
  addressOn,
  codesOn,
  findingsOn,
  type Judging,
  link,
  route,
} from "../../../support/host-facts.ts";

const key = (byte: number): PeerConfig["proof"] => ({
  kind: "key",
  publicKey: new Uint8Array(32).fill(byte),
});
const laptop = peer("laptop", { proof: key(1), allowedIPs: [prefix("172.28.0.2/32")] });
const router = peer("router", { proof: key(2), allowedIPs: [prefix("172.28.0.3/32")] });
const hubTunnel = tunnel("t", [laptop, router], { addresses: [inner("172.28.0.1/24")] });
const hub = configuration([hubTunnel]);
const client = configuration([
  tunnel("c", [dialled("hub", { allowedIPs: [prefix("172.28.0.0/24")] })], {
    addresses: [inner("172.28.0.9/24")],
    listen: listen("203.0.113.1", 10_000),
  }),
]);

/** The one finding. */
function only(config: typeof hub, judging: Judging) {
  const findings = findingsOn(config, judging);
  assert.equal(findings.length, 1, JSON.stringify(findings));
  const [finding] = findings;
  assert.ok(finding);
  return finding;
}

function withFacts(facts: Partial<HostFacts>, config = hub) {
  return only(config, { facts });
}

function withPeers(peers: readonly PeerConfig[], over: Parameters<typeof tunnel>[2] = {}) {
  return configuration([tunnel("t", peers, { addresses: [inner("172.28.0.1/24")], ...over })]);
}

test("nothing on a healthy host", () => {
  assert.deepEqual(codesOn(hub), []);
  assert.deepEqual(codesOn(client), []);
});

test("rights: a capability that is missing, a user namespace", () => {
  const missing = withFacts({ missingCapabilities: ["CAP_NET_RAW"] });
  assert.deepEqual(
    [missing.code, missing.level, missing.exitCode],
    ["missing-capability", "error", 3],
  );
  assert.match(missing.message, /^CAP_NET_RAW is missing/);
  // What could not be seen for it has been said.
  const hidden = { observation: { ruleset: { kind: "hidden" } } } as const;
  const none = { facts: { missingCapabilities: ["CAP_NET_ADMIN"], inFirstUserNamespace: false } };
  assert.deepEqual(codesOn(hub, { ...hidden, ...none }), []);
  const rootless = withFacts({ inFirstUserNamespace: false });
  assert.deepEqual([rootless.code, rootless.exitCode], ["user-namespace", 3]);
});

test("modules: there, to be loaded, or not to be had", () => {
  const state = (ipip: ModuleState, queue: ModuleState = "there") => ({
    facts: {
      modules: new Map([
        ["ipip", ipip],
        ["nfnetlink_queue", queue],
      ]),
    },
  });
  assert.deepEqual(codesOn(hub, state("loadable")), []);
  assert.deepEqual(codesOn(hub, state("absent")), ["no-ipip"]);
  assert.match(only(hub, state("unloadable")).mend, /modprobe ipip/);
  assert.deepEqual(only(hub, state("unknown")).level, "warning");
  assert.deepEqual(codesOn(hub, state("there", "absent")), ["no-nfnetlink_queue"]);
  assert.deepEqual(codesOn(client, state("there", "absent")), [], "waits for nobody");
});

test("what the kernel said to a rehearsal of our rules", () => {
  const refused = withFacts({
    refusals: [{ message: "NFT_MSG_NEWRULE: ENOENT", mend: "modprobe" }],
  });
  assert.deepEqual([refused.code, refused.exitCode], ["no-nftables-part", 4]);
});

test("our queue in other hands, and in those of our own daemon", () => {
  const queueHolder = { pid: 17, program: "suricata" };
  const found = withFacts({ queueHolder });
  assert.deepEqual([found.code, found.exitCode], ["foreign-queue", 5]);
  assert.match(found.message, /\(suricata, pid 17\)/);
  assert.deepEqual(codesOn(hub, { facts: { queueHolder, daemonRuns: true } }), []);
  assert.deepEqual(codesOn(client, { facts: { queueHolder } }), []);
});

test("a UDP socket at our address and port, which is no listener", () => {
  const at = (local: string | undefined, port = 10_000): Judging => ({
    facts: {
      udpSockets: [
        { local: local === undefined ? undefined : ipAddress(local), port, holder: undefined },
      ],
    },
  });
  assert.deepEqual(codesOn(hub, at("203.0.113.1")), ["port-in-use"]);
  assert.deepEqual(codesOn(hub, at(undefined)), ["port-in-use"]);
  assert.deepEqual(codesOn(hub, at("203.0.113.2")), []);
  assert.deepEqual(codesOn(hub, at(undefined, 10_001)), []);
  const fou: FouListener = {
    ...{ port: 10_000, local: ipAddress("203.0.113.1"), peer: undefined, peerPort: undefined },
    ...{ device: undefined, ipProtocol: 4, type: "direct" },
  };
  assert.deepEqual(codesOn(hub, { ...at("203.0.113.1"), observation: { listeners: [fou] } }), []);
});

test("endpoints: a name without address, an address without route", () => {
  const unknown = withFacts({ unresolved: new Map([["hub.example.net", "ENOTFOUND"]]) }, client);
  assert.equal(unknown.code, "unresolvable");
  assert.match(unknown.message, /hub\.example\.net .*ENOTFOUND/);
  const address = ipAddress("198.51.100.1");
  const way = (device: string | undefined, type: "unicast" | "unreachable") =>
    codesOn(client, { facts: { ways: new Map([["c/hub", { address, device, type }]]) } });
  assert.deepEqual(way("eth0", "unicast"), []);
  assert.deepEqual(way(undefined, "unreachable"), ["no-route"]);
});

test("an address to listen at that no interface has", () => {
  const gone = { addresses: [addressOn("eth0", "203.0.113.2/24")] };
  const found = only(hub, { observation: gone });
  assert.deepEqual([found.code, found.level, found.exitCode], ["no-address", "error", 1]);
  const sysctls = new Map([["net/ipv4/ip_nonlocal_bind", "1"]]);
  assert.equal(only(hub, { observation: gone, facts: { sysctls } }).level, "warning");
  const none = withPeers([laptop], { encapsulation: "none" });
  assert.equal(only(none, { observation: gone }).level, "warning", "without UDP no listener");
});

test("no default route: a word for who waits for peers from anywhere", () => {
  const routes = { observation: { routes: [] } };
  assert.equal(only(hub, routes).code, "no-default-route");
  assert.equal(only(hub, routes).level, "note");
  assert.deepEqual(codesOn(client, routes), []);
});

test("a way out that is down", () => {
  const links = (over: object) => ({ observation: { links: [link("eth0", 2, over)] } });
  assert.match(only(hub, links({ up: false })).message, /eth0, is down/);
  assert.match(only(hub, links({ carrier: false })).message, /no carrier/);
});

test("strict rp_filter, where answers would leave elsewhere", () => {
  const sysctls = (own: string, all = "0", device = "eth0") =>
    new Map([
      ["net/ipv4/conf/all/rp_filter", all],
      [`net/ipv4/conf/${device}/rp_filter`, own],
    ]);
  const elsewhere = { routes: [route("0.0.0.0/0", "eth1")] };
  const on = (own: string, all: string, observation: object = elsewhere) =>
    codesOn(hub, { facts: { sysctls: sysctls(own, all) }, observation });
  assert.deepEqual(on("1", "0"), ["rp-filter"]);
  assert.deepEqual(on("0", "1"), ["rp-filter"]);
  assert.deepEqual(on("2", "1"), [], "the greater counts");
  assert.deepEqual(on("0", "0"), []);
  assert.deepEqual(on("1", "1", {}), [], "answers leave where packets come from");
  const way = { address: ipAddress("198.51.100.1"), device: "eth1", type: "unicast" } as const;
  const dialling = { facts: { sysctls: sysctls("1"), ways: new Map([["c/hub", way]]) } };
  assert.deepEqual(codesOn(client, dialling), ["rp-filter"]);
  const open = withPeers([peer("any")]);
  assert.deepEqual(codesOn(open, { facts: { sysctls: sysctls("1", "0", "t") } }), [
    "rp-filter-inner",
  ]);
  const news = new Map([["net/ipv4/conf/default/rp_filter", "1"]]);
  assert.deepEqual(codesOn(open, { facts: { sysctls: news } }), ["rp-filter-inner"], "to be made");
});

test("strict rp_filter, and another tunnel that takes the answers with everything else", () => {
  const sysctls = new Map([["net/ipv4/conf/eth0/rp_filter", "1"]]);
  const way = (address: string) =>
    ({ address: ipAddress(address), device: "eth0", type: "unicast" }) as const;
  const on = (other: string, strict = sysctls) => {
    const config = configuration([
      tunnel("all", [dialled("exit", { allowedIPs: [prefix("0.0.0.0/0")] })], {
        addresses: [inner("172.29.0.9/24")],
        listen: listen("203.0.113.1", 10_001),
      }),
      ...client.tunnels,
    ]);
    const ways = new Map([
      ["all/exit", way("198.51.100.1")],
      ["c/hub", way(other)],
    ]);
    const underlays = new Map([
      ["all", underlay({ port: 10_001 })],
      ["c", underlay({})],
    ]);
    return findingsOn(config, { facts: { sysctls: strict, ways }, situation: { underlays } });
  };
  const [finding, ...others] = on("198.51.100.7");
  assert.deepEqual(others, []);
  assert.equal(finding?.code, "rp-filter");
  assert.match(finding?.message ?? "", /^tunnel c: .* answers to 198\.51\.100\.7 \(by all\) would/);
  assert.match(finding?.mend ?? "", /eth0\.rp_filter to 2/);
  assert.deepEqual(on("198.51.100.7", new Map()), [], "loose");
  assert.deepEqual(on("198.51.100.1"), [], "the same server: there is a rule");
  assert.deepEqual(on("203.0.113.9"), [], "the host's own network is reached past it");
});

test("an mtu that does not fit the way out", () => {
  const on = (mtu: number, out: number, encapsulation: "fou" | "none" = "fou") => {
    const config = withPeers([laptop, router], { mtu, encapsulation });
    const underlays = new Map([["t", underlay({ mtu: out })]]);
    return codesOn(config, { situation: { underlays } });
  };
  assert.deepEqual(on(1472, 1500), []);
  assert.deepEqual(on(1473, 1500), ["mtu"]);
  assert.deepEqual(on(1480, 1500, "none"), []);
  assert.deepEqual(on(1472, 1400), ["mtu"]);
});

test("networks behind peers, and a host that forwards nothing", () => {
  const site = { ...router, allowedIPs: [prefix("10.7.0.0/16")] };
  assert.deepEqual(codesOn(withPeers([laptop, site])), ["no-forwarding"]);
  assert.deepEqual(codesOn(withPeers([site])), [], "a single peer's is for us");
  const on = { facts: { sysctls: new Map([["net/ipv4/ip_forward", "1"]]) } };
  assert.deepEqual(codesOn(withPeers([laptop, site]), on), []);
  assert.deepEqual(codesOn(withPeers([laptop, site], { forwarding: true })), [], "a start sets it");
});

test("inner networks that the host has already", () => {
  const beside = (text: string) => ({
    observation: { addresses: [addressOn("eth0", "203.0.113.1/24"), addressOn("docker0", text)] },
  });
  assert.deepEqual(codesOn(hub, beside("172.28.7.1/16")), ["network-overlap"]);
  assert.deepEqual(codesOn(hub, beside("10.0.0.1/8")), []);
  assert.deepEqual(codesOn(hub, beside("172.28.0.1/32")), ["address-elsewhere"]);
  const proxyArp = [{ address: ipAddress("172.28.0.2"), device: "docker0" }];
  const proxied = withPeers([laptop], { proxyArp, addresses: [inner("10.1.0.1/32")] });
  assert.deepEqual(codesOn(proxied, beside("172.28.7.1/16")), [], "it is answered for there");
  // A narrower network of our own wins, as everybody expects.
  const wide = withPeers([peer("a", { allowedIPs: [prefix("10.0.0.0/8")] })]);
  assert.deepEqual(codesOn(wide, beside("10.1.2.3/24")), []);
});

test("routes of others where ours would go", () => {
  const there = route("172.28.0.2/32", "eth1");
  const found = only(hub, { observation: { routes: [route("0.0.0.0/0", "eth0"), there] } });
  assert.deepEqual([found.code, found.exitCode], ["foreign-route", 5]);
  assert.match(found.message, /172\.28\.0\.2\/32 \(by eth1\)/);
  const apart = [route("0.0.0.0/0", "eth0"), { ...there, metric: 9 }, { ...there, table: 99 }];
  assert.deepEqual(codesOn(hub, { observation: { routes: apart } }), []);
  const own = [route("0.0.0.0/0", "eth0"), { ...there, protocol: 105 }];
  assert.deepEqual(codesOn(hub, { observation: { routes: own } }), []);
});

test("allowedIPs of one peer within another's", () => {
  const of = (...lists: string[][]) =>
    withPeers(
      lists.map((list, i) => peer(`p${i}`, { proof: key(i), allowedIPs: list.map(prefix) })),
    );
  const forwards = { facts: { sysctls: new Map<string, string>() } };
  const codes = (...lists: string[][]) => codesOn(of(...lists), forwards);
  assert.deepEqual(codes(["10.0.0.0/8"], ["11.0.0.0/8"]), []);
  assert.deepEqual(codes(["10.0.0.0/8"], ["10.7.0.0/16"]), ["overlapping-allowed-ips"]);
  assert.deepEqual(codes(["10.0.0.0/8", "10.1.0.0/16"], ["11.0.0.0/8"]), [], "one peer's own");
  assert.deepEqual(codes(["0.0.0.0/0"], ["10.7.0.0/16"]), [], "everything, but for a part");
  const nested = ["10.0.0.0/8", "10.9.0.0/16"];
  assert.deepEqual(codes(nested, ["10.200.0.0/16"]), ["overlapping-allowed-ips"]);
  const [finding] = findingsOn(of(["10.0.0.0/8"], ["10.7.0.0/16"]), forwards);
  assert.match(finding?.message ?? "", /10\.7\.0\.0\/16 of t\/p1 is in 10\.0\.0\.0\/8 of t\/p0/);
});

test("our own key on the other side", () => {
  // docs: the pair of protocol 1's test vector.
  const seed = Buffer.from("RuBZkT23na2Q4QH1xfmZCfRgSgPt5s362UPAFbecTso=", "base64");
  const publicKey = Buffer.from("eQYNhD/Xwl6Zaq+z3QXDzNI77x8CEKqY1n5kt9bKeEI=", "base64");
  const identity = { kind: "key", seed: new Secret(seed) } as const;
  const own = peer("own", { identity, proof: { kind: "key", publicKey }, allowedIPs: [] });
  assert.deepEqual(codesOn(withPeers([own])), ["own-key"]);
  assert.deepEqual(codesOn(withPeers([{ ...own, proof: key(3) }])), []);
});

test("other managers of the network", () => {
  const found = withFacts({ networkd: ["routes", "rules"] });
  assert.equal(found.code, "networkd");
  assert.match(found.mend, /ManageForeignRoutes=no, ManageForeignRoutingPolicyRules=no/);
  assert.deepEqual(codesOn(hub, { facts: { networkd: [] } }), []);
  assert.deepEqual(codesOn(hub, { facts: { networkd: ["nexthops"] } }), [], "older ones know none");
  const profile = withFacts({ networkManagerProfiles: new Map([["t", "/etc/x.nmconnection"]]) });
  assert.equal(profile.code, "network-manager");
});

test("a clock that is certainly wrong, or not right yet; where proofs carry the time", () => {
  const now = 1_000_000_000;
  const past = [{ what: "the kernel was built", time: 1_760_000_000 }];
  const late = { clock: { now, synchronised: undefined, past } };
  assert.match(withFacts(late).message, /2001-09-09, but the kernel was built on 2025-10-09/);
  const soon = [{ what: "it was written", time: now + 3600 }];
  assert.deepEqual(codesOn(hub, { facts: { clock: { ...late.clock, past: soon } } }), []);
  const waits = withFacts({ clock: { now, synchronised: false, past: [] } });
  assert.deepEqual([waits.code, waits.level], ["clock-unsynchronised", "note"]);
  assert.deepEqual(codesOn(client, { facts: late }), [], "a token has no time");
});

test("a packet filter whose rules can't be read", () => {
  const { message, level } = withFacts({ legacyTables: ["filter"] });
  assert.equal(level, "note");
  assert.match(message, /iptables-legacy.*\(filter\).*UDP port/);
});

test("files: secrets that all may read, folders that we may not write", () => {
  assert.match(withFacts({ publicSecrets: ["/etc/k"] }).mend, /chmod o= \/etc\/k/);
  const state = withFacts({ stateDirectory: { path: "/var", why: "read-only" } });
  assert.deepEqual([state.code, state.level], ["state-directory", "warning"]);
  const control = withFacts({ control: { path: "/run/x.sock", why: "held" } });
  assert.deepEqual([control.code, control.exitCode], ["control", 5]);
  assert.equal(withFacts({ control: { path: "/run", why: "denied" } }).exitCode, 3);
  assert.equal(withFacts({ control: { path: "/run", why: "no-folder" } }).exitCode, 2);
});

test("limits", () => {
  assert.equal(withFacts({ openFiles: 64 }).code, "few-open-files");
  const full = new Map([
    ["net/netfilter/nf_conntrack_max", "1000"],
    ["net/netfilter/nf_conntrack_count", "950"],
  ]);
  assert.deepEqual(codesOn(client, { facts: { sysctls: full } }), ["conntrack-full"]);
  assert.deepEqual(codesOn(hub, { facts: { sysctls: full } }), [], "not tracked");
});
