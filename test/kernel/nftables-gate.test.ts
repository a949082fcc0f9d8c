/**
 * Packets of every kind against the gate: what gets through, what is queued, what is dropped, and what
 * comes out of the tunnel. Each packet carries a number in its identification field; a table of the
 * test's own behind ours notes those that pass.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { withTracking } from "../../src/apply/nftables/defragment.ts";
import { diffRuleset } from "../../src/apply/nftables/diff.ts";
import { executeRuleset } from "../../src/apply/nftables/execute.ts";
import { observeRuleset } from "../../src/apply/nftables/observe.ts";
import { ruleset } from "../../src/apply/nftables/ruleset.ts";
import { ipAddress } from "../../src/net/address.ts";
import type { Gate } from "../../src/plan/gate.ts";
import { eventually } from "../e2e/support/eventually.ts";
import { Host } from "../e2e/support/host.ts";
import { echoRequest, fragments, ipv4, udp } from "../e2e/support/packets.ts";
import type { Program } from "../e2e/support/program.ts";
import { Namespace } from "../support/netns.ts";
import {
  direct,
  endpoint,
  gate,
  peer,
  SERVER,
  STAND_IN,
  tunnel,
} from "../unit/apply/nftables/gates.ts";

const TABLE = "ipipou";
const QUEUE = 26_992;
const PORT = 10_000;
const CLIENT = "198.51.100.2";
const CLIENT_PORT = 40_001;
const STRANGER = "198.51.100.66";
const OTHER_LOCAL = "203.0.113.9";
const INNER = "172.28.0.2";
const EPOCH = 0x6920;
/** Port of no tunnel: such a packet says that those before it are through. */
const MARKER_PORT = 9;

const UDP = 17;
const IPIP = 4;
const MORE_FRAGMENTS = 0x2000;

const PROBE = `
  table ip probe {
    set seen { typeof ip id; size 65535; flags dynamic; }
    set inner { typeof ip id; size 65535; flags dynamic; }
    chain pre {
      type filter hook prerouting priority -290; policy accept;
      iifname "eth0" add @seen { ip id }
      iifname "ipipou0" add @inner { ip id }
    }
  }`;

/** Sends each line, a packet in hexadecimal, without a word: the marker tells when they are through. */
const SENDER = `
import socket, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print("open", flush=True)
for line in sys.stdin:
    data = bytes.fromhex(line)
    raw.sendto(data, (socket.inet_ntoa(data[16:20]), 0))`;

type Fate = "passed" | "queued" | "dropped";

/** Payload of an authentication of protocol 1 with a key. */
function authentication(epoch: number, first = 0x99): Buffer {
  const payload = Buffer.alloc(73, 0x5a);
  payload[0] = first;
  payload.writeUIntBE(epoch, 64, 3);
  return payload;
}

const fromClient = { source: CLIENT, sourcePort: CLIENT_PORT };
const fromStranger = { source: STRANGER, sourcePort: CLIENT_PORT };
const toServer = { destination: SERVER as string, destinationPort: PORT };

const data = (source = INNER): Buffer => echoRequest(source, "172.28.0.1");

/** The same packet with other flags and fragment offset (RFC 791). */
function fragment(packet: Buffer, flagsAndOffset: number): Buffer {
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(flagsAndOffset, 6);
  return copy;
}

/** The same packet with four bytes of options (no operation). */
function withOptions(packet: Buffer): Buffer {
  const copy = Buffer.concat([packet.subarray(0, 20), Buffer.alloc(4, 1), packet.subarray(20)]);
  copy[0] = 0x46;
  copy.writeUInt16BE(copy.length, 2);
  return copy;
}

/** RFC 791; the field itself is 0. */
function headerChecksum(packet: Buffer): number {
  let sum = 0;
  for (let at = 0; at < (packet.readUInt8(0) & 15) * 4; at += 2) sum += packet.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

describe("the gate", () => {
  let server: Namespace;
  let outside: Host;
  let sender: Program;
  let queue: Program;
  let next = 1;

  before(async () => {
    server = await Namespace.create();
    const name = `${server.name}-o`;
    execFileSync("ip", ["netns", "add", name]);
    outside = new Host("outside", name, "203.0.113.254", "wan");
    execFileSync("sh", [
      "-ec",
      `ip -n ${server.name} link add eth0 type veth peer name wan netns ${name}
       ip -n ${server.name} addr add ${SERVER}/24 dev eth0
       ip -n ${server.name} addr add ${OTHER_LOCAL}/24 dev eth0
       ip -n ${server.name} link set eth0 up
       ip -n ${server.name} route add default dev eth0
       ip -n ${server.name} fou add port ${PORT} ipproto 4 local ${SERVER}
       ip -n ${server.name} link add name ipipou0 type ipip local ${SERVER} remote ${CLIENT} encap fou encap-sport ${PORT} encap-dport ${CLIENT_PORT}
       ip -n ${server.name} addr add 172.28.0.1/24 dev ipipou0
       ip -n ${server.name} link set ipipou0 up
       ip netns exec ${server.name} sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done'
       ip -n ${name} link set wan up
       ip -n ${name} addr add 203.0.113.254/24 dev wan
       ip -n ${name} neigh add ${SERVER} lladdr $(ip netns exec ${server.name} cat /sys/class/net/eth0/address) dev wan
       ip -n ${name} neigh add ${OTHER_LOCAL} lladdr $(ip netns exec ${server.name} cat /sys/class/net/eth0/address) dev wan`,
    ]);
    nft(PROBE);
    sender = outside.start("/usr/bin/python3", ["-c", SENDER]);
    await sender.line(/^open$/);
    const script = fileURLToPath(new URL("./nftables-queue.js", import.meta.url));
    const host = new Host("server", server.name, SERVER, "eth0");
    queue = host.start(process.execPath, [script, String(QUEUE), String(PORT)]);
    await queue.line(/^open$/);
  });

  after(async () => {
    await sender.stop("SIGKILL");
    await queue.stop("SIGKILL");
    await server.close();
    execFileSync("ip", ["netns", "del", outside.namespace]);
  });

  function nft(script: string): void {
    execFileSync("ip", ["netns", "exec", server.name, "nft", "-f", "-"], { input: script });
  }

  async function become(wanted: Gate): Promise<void> {
    // From nothing, so that every bucket is full.
    const observed = await observeRuleset(server.netfilter, TABLE);
    const there = observed.kind === "ours" ? observed.objects : [];
    await executeRuleset(server.netfilter, diffRuleset(TABLE, [], there));
    await executeRuleset(server.netfilter, diffRuleset(TABLE, ruleset(wanted), []));
  }

  function numbersIn(set: string): Set<number> {
    const listed = JSON.parse(server.run("nft", "-j", "list", "set", "ip", "probe", set)) as {
      nftables: { set?: { elem?: readonly number[] } }[];
    };
    return new Set(listed.nftables.flatMap((one) => one.set?.elem ?? []));
  }

  function number(packet: Buffer): { id: number; packet: Buffer } {
    const id = next++;
    const copy = Buffer.from(packet);
    copy.writeUInt16BE(id, 4);
    // The raw socket would write the outer checksum, nobody writes the inner one.
    copy.writeUInt16BE(0, 10);
    copy.writeUInt16BE(headerChecksum(copy), 10);
    return { id, packet: copy };
  }

  const queued = (): Set<number> => new Set(queue.lines.slice(1).map(Number));

  /** Sends them, waits until the last is through, and tells the fate of each. */
  async function send(
    packets: readonly Buffer[],
  ): Promise<{ fate: Fate; decapsulated: boolean }[]> {
    const marker = udp({
      ...fromStranger,
      ...toServer,
      destinationPort: MARKER_PORT,
      payload: Buffer.of(),
    });
    const numbered = packets.map(number);
    const last = number(marker);
    const lines = [...numbered, last].map(({ packet }) => `${packet.toString("hex")}\n`);
    sender.child.stdin?.write(lines.join(""));
    await eventually(() => numbersIn("seen").has(last.id), { what: "the marker" });
    // The queue is another process: what the kernel gave it before the marker is told soon after.
    const ids = server.run("cat", "/proc/net/netfilter/nfnetlink_queue");
    const given = Number(ids.trim().split(/\s+/)[7]);
    await eventually(() => queue.lines.length - 1 >= given, { what: "what is queued" });
    const seen = numbersIn("seen");
    const inside = numbersIn("inner");
    const waiting = queued();
    return numbered.map(({ id }) => ({
      fate: seen.has(id) ? "passed" : waiting.has(id) ? "queued" : "dropped",
      decapsulated: inside.has(id),
    }));
  }

  /** Name → packet and its fate; all of one gate go out together. */
  async function expectFates(
    cases: Readonly<Record<string, readonly [packet: Buffer, fate: Fate]>>,
  ): Promise<void> {
    const results = await send(Object.values(cases).map(([packet]) => packet));
    const found = Object.fromEntries(Object.keys(cases).map((name, i) => [name, results[i]?.fate]));
    const wanted = Object.fromEntries(
      Object.entries(cases).map(([name, [, fate]]) => [name, fate]),
    );
    assert.deepEqual(found, wanted);
  }

  test("a direct tunnel whose peer has a single inner address", async () => {
    await become(gate([direct()], { epochs: [EPOCH] }));
    const payload = data();
    const clientData = udp({ ...fromClient, ...toServer, payload });
    const bare = (source: string, destination: string = SERVER): Buffer =>
      ipv4({ source, destination, protocol: IPIP, payload });
    const key = authentication(EPOCH);
    const stale = authentication(EPOCH - 1);
    await expectFates({
      "its data": [clientData, "passed"],
      "its data with IP options": [withOptions(clientData), "passed"],
      "another inner source": [
        udp({ ...fromClient, ...toServer, payload: data("172.28.0.3") }),
        "dropped",
      ],
      "another source port": [
        udp({ ...fromClient, sourcePort: 40_002, ...toServer, payload }),
        "dropped",
      ],
      "another source": [udp({ ...fromStranger, ...toServer, payload }), "dropped"],
      "bare protocol 4 from a stranger": [bare(STRANGER), "dropped"],
      "bare protocol 4 from its address": [bare(CLIENT), "dropped"],
      "bare protocol 4 with options": [withOptions(bare(CLIENT)), "dropped"],
      "bare protocol 4, a first fragment": [fragment(bare(CLIENT), MORE_FRAGMENTS), "dropped"],
      "bare protocol 4, a later fragment": [fragment(bare(CLIENT), 3), "dropped"],
      "bare protocol 4 to another address of ours": [bare(STRANGER, OTHER_LOCAL), "passed"],
      "an authentication": [udp({ ...fromStranger, ...toServer, payload: key }), "queued"],
      "one that begins like IPv4": [
        udp({ ...fromStranger, ...toServer, payload: authentication(EPOCH, 0x45) }),
        "queued",
      ],
      "one of the peer": [udp({ ...fromClient, ...toServer, payload: key }), "queued"],
      "one of the peer that begins like IPv4": [
        udp({ ...fromClient, ...toServer, payload: authentication(EPOCH, 0x45) }),
        "queued",
      ],
      "a stale one of the peer": [udp({ ...fromClient, ...toServer, payload: stale }), "queued"],
      "one that is a byte longer": [
        udp({ ...fromStranger, ...toServer, payload: Buffer.concat([key, Buffer.of(0)]) }),
        "dropped",
      ],
      "an empty one": [udp({ ...fromStranger, ...toServer, payload: Buffer.of() }), "dropped"],
      "one in fragments": [
        fragment(udp({ ...fromClient, ...toServer, payload: key }), MORE_FRAGMENTS),
        "dropped",
      ],
      "a first fragment of its data": [fragment(clientData, MORE_FRAGMENTS), "passed"],
      "a first fragment of a stranger's": [
        fragment(udp({ ...fromStranger, ...toServer, payload }), MORE_FRAGMENTS),
        "dropped",
      ],
      "a first fragment without an inner source": [
        fragment(clientData.subarray(0, 36), MORE_FRAGMENTS),
        "dropped",
      ],
      "a later fragment of UDP": [fragment(clientData, 20), "passed"],
      "UDP to another port": [
        udp({ ...fromStranger, ...toServer, destinationPort: 53, payload: key }),
        "passed",
      ],
      "UDP to our port at another address of ours": [
        udp({ ...fromStranger, destination: OTHER_LOCAL, destinationPort: PORT, payload }),
        "passed",
      ],
      "TCP to the same number": [
        ipv4({
          source: STRANGER,
          destination: SERVER,
          protocol: 6,
          payload: Buffer.from("9c41271000000001000000005002200000000000", "hex"),
        }),
        "passed",
      ],
      ICMP: [echoRequest(STRANGER, SERVER), "passed"],
      GRE: [
        ipv4({ source: STRANGER, destination: SERVER, protocol: 47, payload: Buffer.alloc(8) }),
        "passed",
      ],
      "UDP too short for its header": [
        ipv4({ source: CLIENT, destination: SERVER, protocol: UDP, payload: Buffer.alloc(5) }),
        "passed",
      ],
    });
  });

  test("what comes out of the tunnel is what its peer may send", async () => {
    await become(gate([direct()], { epochs: [EPOCH] }));
    const wrapped = (source: string): Buffer => {
      const inside = number(data(source));
      return udp({ ...fromClient, ...toServer, payload: inside.packet });
    };
    // Outer and inner packet are numbered in turn, so the inner one has a number of its own.
    const good = wrapped(INNER);
    const goodId = next - 1;
    const bad = wrapped("172.28.0.3");
    const badId = next - 1;
    const bare = number(data());
    await send([
      good,
      bad,
      ipv4({ source: CLIENT, destination: SERVER, protocol: IPIP, payload: bare.packet }),
    ]);
    const inside = numbersIn("inner");
    assert.deepEqual(
      [goodId, badId, bare.id].map((id) => inside.has(id)),
      [true, false, false],
    );
  });

  test("an authentication out of a tunnel of ours is dropped", async () => {
    await become(gate([direct()], { epochs: [EPOCH] }));
    const nested = number(
      udp({ source: INNER, sourcePort: 5, ...toServer, payload: authentication(EPOCH) }),
    );
    const [outer] = await send([udp({ ...fromClient, ...toServer, payload: nested.packet })]);
    assert.equal(outer?.fate, "passed");
    const plain = number(data());
    await send([udp({ ...fromClient, ...toServer, payload: plain.packet })]);
    assert.equal(numbersIn("inner").has(plain.id), true);
    assert.equal(queued().has(nested.id), false);
    assert.equal(numbersIn("inner").has(nested.id), false);
  });

  test("a peer that may send anything still proves itself", async () => {
    const any = peer(7, ["0.0.0.0/0"], { endpoint: endpoint(CLIENT, CLIENT_PORT) });
    await become(gate([tunnel("ipipou0", [any])], { epochs: [EPOCH] }));
    const sameLength = echoRequest("192.0.2.200", "172.28.0.1").subarray(0, 73);
    sameLength.writeUInt16BE(73, 2);
    const six = Buffer.from(data());
    six[0] = 0x65;
    await expectFates({
      "data of any source": [
        udp({ ...fromClient, ...toServer, payload: data("8.8.8.8") }),
        "passed",
      ],
      "data of an authentication's length": [
        udp({ ...fromClient, ...toServer, payload: sameLength }),
        "passed",
      ],
      "an authentication": [
        udp({ ...fromClient, ...toServer, payload: authentication(EPOCH) }),
        "queued",
      ],
      "one that begins like IPv4": [
        udp({ ...fromClient, ...toServer, payload: authentication(EPOCH, 0x45) }),
        "queued",
      ],
      "no IPv4 inside": [udp({ ...fromClient, ...toServer, payload: six }), "dropped"],
      "another's data": [udp({ ...fromStranger, ...toServer, payload: data() }), "dropped"],
    });
  });

  test("prefixes", async () => {
    const some = peer(7, [`${INNER}/32`, "10.7.0.0/16", "10.9.128.0/17"], {
      endpoint: endpoint(CLIENT, CLIENT_PORT),
    });
    await become(gate([tunnel("ipipou0", [some])], { epochs: [EPOCH] }));
    const of = (source: string): Buffer =>
      udp({ ...fromClient, ...toServer, payload: data(source) });
    await expectFates({
      address: [of(INNER), "passed"],
      "in the first": [of("10.7.255.1"), "passed"],
      "before the first": [of("10.6.255.255"), "dropped"],
      "in the second": [of("10.9.128.0"), "passed"],
      "before the second": [of("10.9.127.255"), "dropped"],
    });
  });

  test("a hub's clients are told apart", async () => {
    const other = "198.51.100.3";
    const peers = [
      peer(1, [`${INNER}/32`], { endpoint: endpoint(CLIENT, CLIENT_PORT) }),
      peer(2, ["172.28.0.3/32"], { endpoint: endpoint(other, 7) }),
      peer(3, ["172.28.0.4/32"]),
      peer(4, ["10.0.0.0/8"], { endpoint: endpoint("198.51.100.4", 8) }),
    ];
    await become(gate([tunnel("ipipou0", peers)], { epochs: [EPOCH] }));
    const of = (source: string, sourcePort: number, inner: string): Buffer =>
      udp({ source, sourcePort, ...toServer, payload: data(inner) });
    await expectFates({
      first: [of(CLIENT, CLIENT_PORT, INNER), "passed"],
      second: [of(other, 7, "172.28.0.3"), "passed"],
      third: [of("198.51.100.4", 8, "10.1.2.3"), "passed"],
      "the first with the second's inner address": [
        of(CLIENT, CLIENT_PORT, "172.28.0.3"),
        "dropped",
      ],
      "the first's address with the second's port": [of(CLIENT, 7, INNER), "dropped"],
      "the first with the third's prefix": [of(CLIENT, CLIENT_PORT, "10.1.2.3"), "dropped"],
      "the third with the first's inner address": [of("198.51.100.4", 8, INNER), "dropped"],
      "one that is not proven": [of("198.51.100.5", 9, "172.28.0.4"), "dropped"],
    });
  });

  test("tokens, empty proofs, and nobody waited for", async () => {
    const tokens = [
      { payload: 0, timed: false },
      { payload: 16, timed: false },
    ];
    const of = (length: number): Buffer =>
      udp({ ...fromStranger, ...toServer, payload: Buffer.alloc(length, 0x40) });
    await become(gate([direct({ authentications: tokens })]));
    await expectFates({
      empty: [of(0), "queued"],
      token: [of(16), "queued"],
      "another length": [of(17), "dropped"],
    });
    const any = peer(7, ["0.0.0.0/0"], { endpoint: endpoint(STRANGER, CLIENT_PORT) });
    await become(gate([tunnel("ipipou0", [any], { authentications: tokens })]));
    await expectFates({
      "the same from a peer that may send anything, empty": [of(0), "queued"],
      "and a token": [of(16), "queued"],
    });
    await become(gate([direct({ authentications: [] })]));
    await expectFates({
      "nobody is waited for": [
        udp({ ...fromStranger, ...toServer, payload: authentication(EPOCH) }),
        "dropped",
      ],
      "but the peer's data": [udp({ ...fromClient, ...toServer, payload: data() }), "passed"],
    });
  });

  test("foreign ipip devices keep what is theirs", async () => {
    const bare = (source: string): Buffer =>
      ipv4({ source, destination: SERVER, protocol: IPIP, payload: data() });
    const remote = ipAddress("192.0.2.7");
    await become(gate([direct()], { foreignIpip: [{ local: SERVER, remote }] }));
    await expectFates({
      theirs: [bare("192.0.2.7"), "passed"],
      "a stranger's": [bare(STRANGER), "dropped"],
      "from our peer's address": [bare(CLIENT), "dropped"],
    });
    await become(gate([direct()], { foreignIpip: [{ local: SERVER, remote: undefined }] }));
    await expectFates({
      "from anyone": [bare(STRANGER), "passed"],
      "but not from our peer's address": [bare(CLIENT), "dropped"],
    });
  });

  test("a flood of strangers delays no refresh", async () => {
    const ratePerSource = 2;
    await become(
      gate([direct()], {
        epochs: [EPOCH],
        queue: { number: QUEUE, ratePerSource, rateTotal: 20 },
      }),
    );
    const started = performance.now();
    const count = async (source: string, packets: number): Promise<number> => {
      const payload = authentication(EPOCH);
      const all = Array.from({ length: packets }, () =>
        udp({ source, sourcePort: CLIENT_PORT, ...toServer, payload }),
      );
      return (await send(all)).filter(({ fate }) => fate === "queued").length;
    };
    const one = await count(STRANGER, 40);
    const seconds = (performance.now() - started) / 1000;
    // By its address, then by its port, then a little of what nobody else needs.
    const most = 15 + Math.ceil((2 * ratePerSource + 1) * seconds);
    assert.ok(one >= 5 && one <= most, `${one} in ${seconds} s`);
    // Strangers by the hundred use the total up; the peer has its own.
    const payload = authentication(EPOCH);
    const crowd = Array.from({ length: 100 }, (_, i) =>
      udp({ source: `192.0.2.${i + 1}`, sourcePort: 1, ...toServer, payload }),
    );
    const mine = udp({ ...fromClient, ...toServer, payload });
    const results = await send([...crowd, mine]);
    const total = (performance.now() - started) / 1000;
    const strangers = results.slice(0, -1).filter(({ fate }) => fate === "queued").length;
    assert.ok(strangers <= 20 + Math.ceil(20 * total) - one, `${strangers} in ${total} s`);
    assert.equal(results.at(-1)?.fate, "queued");
  });

  test("who comes back passes a flood from ever new addresses, and one in its name", async () => {
    const queue = { number: QUEUE, ratePerSource: 2, rateTotal: 20 };
    await become(gate([direct()], { epochs: [EPOCH], queue }));
    const payload = authentication(EPOCH);
    const from = (source: string, sourcePort: number): Buffer =>
      udp({ source, sourcePort, ...toServer, payload });
    const crowd = Array.from({ length: 200 }, (_, i) => from(`192.0.2.${i + 1}`, 1));
    const mine = (): Buffer => from("198.51.100.77", 7);
    const [first, ...rest] = await send([mine(), ...crowd, mine()]);
    assert.equal(first?.fate, "queued");
    assert.ok(rest.filter(({ fate }) => fate === "queued").length < 100);
    assert.equal(rest.at(-1)?.fate, "queued", "from an address seen before");
    // Whoever is behind the same address, or writes it, has other ports.
    const inMyName = Array.from({ length: 100 }, (_, i) => from("198.51.100.77", 1000 + i));
    const fates = (await send([...inMyName, mine(), mine()])).map(({ fate }) => fate);
    assert.ok(fates.slice(0, 100).filter((fate) => fate === "queued").length < 30);
    assert.equal(fates.at(-1), "queued", "from a port seen before");
  });

  test("of what bears an impossible time, a few a second are looked at", async () => {
    await become(gate([direct()], { epochs: [EPOCH] }));
    const started = performance.now();
    const payload = authentication(EPOCH - 1);
    const crowd = Array.from({ length: 60 }, (_, i) =>
      udp({ source: `192.0.2.${i + 1}`, sourcePort: 1, ...toServer, payload }),
    );
    const results = await send(crowd);
    const seconds = (performance.now() - started) / 1000;
    const looked = results.filter(({ fate }) => fate === "queued").length;
    assert.ok(looked >= 5 && looked <= 5 + Math.ceil(seconds), `${looked} in ${seconds} s`);
    assert.ok(results.every(({ fate }) => fate !== "passed"));
  });

  test("with no one at the queue, strangers get nothing and the peer goes on", async () => {
    await become(
      gate([direct({}, {})], {
        epochs: [EPOCH],
        queue: { number: 1, ratePerSource: 10, rateTotal: 100 },
      }),
    );
    await expectFates({
      data: [udp({ ...fromClient, ...toServer, payload: data() }), "passed"],
      authentication: [
        udp({ ...fromStranger, ...toServer, payload: authentication(EPOCH) }),
        "dropped",
      ],
    });
  });

  test("what is no longer proven is out, what expires goes by itself", async () => {
    await become(gate([direct({}, { lifetime: 3_600_000, remaining: 1 })], { epochs: [EPOCH] }));
    const packet = udp({ ...fromClient, ...toServer, payload: data() });
    await eventually(async () => (await send([packet]))[0]?.fate === "dropped", {
      what: "expiry",
    });
  });

  test("a hub writes each peer's port, with and without a checksum", async () => {
    const other = "203.0.113.254";
    const peers = [
      peer(1, [`${INNER}/32`], { endpoint: endpoint(other, 4321) }),
      peer(2, ["172.28.0.3/32"]),
    ];
    const receiver = outside.start("/usr/bin/python3", [
      "-c",
      `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${other}", 4321))
print("open", flush=True)
while True:
    data, sender = s.recvfrom(2000)
    print("got", len(data), sender[1], flush=True)`,
    ]);
    await receiver.line(/^open$/);
    for (const checksum of [false, true]) {
      await become(gate([tunnel("hub1", peers, { checksum, port: 10_005 })]));
      execFileSync("sh", [
        "-ec",
        `ip -n ${server.name} link add name hub1 type ipip local ${SERVER} remote any encap fou encap-sport 10005 encap-dport 10005 ${checksum ? "encap-csum" : "noencap-csum"}
         ip -n ${server.name} link set hub1 up
         ip -n ${server.name} route add 172.30.0.2/32 via ${other} dev hub1 onlink
         ip -n ${server.name} route add 172.30.0.3/32 via ${CLIENT} dev hub1 onlink`,
      ]);
      const ping = (to: string): void => {
        const args = ["-n", "-c", "1", "-W", "1", "-s", "32", to];
        execFileSync(
          "sh",
          ["-c", `ip netns exec ${server.name} ping ${args.join(" ")} >&2 || true`],
          {
            stdio: "ignore",
          },
        );
      };
      const from = receiver.lines.length;
      ping("172.30.0.2");
      assert.match(await receiver.line(/^got/, { from }), /^got 60 10005$/);
      // Nothing leaves for an address without a peer.
      const sent = (): number =>
        Number(server.run("cat", "/sys/class/net/eth0/statistics/tx_packets"));
      execFileSync("ip", [
        "-n",
        server.name,
        "neigh",
        "replace",
        CLIENT,
        "lladdr",
        "02:00:00:00:00:01",
        "dev",
        "eth0",
      ]);
      const before = sent();
      ping("172.30.0.3");
      assert.equal(sent(), before);
      execFileSync("ip", ["-n", server.name, "link", "del", "hub1"]);
    }
    await receiver.stop("SIGKILL");
  });

  test("connection tracking is kept out, or not, as configured", async () => {
    nft(`table ip probe {
      set untracked { typeof ip id; size 65535; flags dynamic; }
      chain tracked {
        type filter hook prerouting priority -150; policy accept;
        iifname "eth0" ct state untracked add @untracked { ip id }
      }
    }`);
    for (const conntrack of ["bypass", "track"] as const) {
      await become(gate([direct({ conntrack })], { epochs: [EPOCH] }));
      const id = next;
      const [only] = await send([udp({ ...fromClient, ...toServer, payload: data() })]);
      assert.equal(only?.fate, "passed");
      assert.equal(numbersIn("untracked").has(id), conntrack === "bypass");
    }
  });

  test("a translated tunnel gets its data at the stand-in, whole, and nobody else reaches that", async () => {
    const device = (local: string): void => {
      const encap = `encap fou encap-sport ${PORT} encap-dport ${CLIENT_PORT}`;
      const type = `type ipip local ${local} remote ${CLIENT} ${encap}`;
      execFileSync("sh", ["-ec", `ip -n ${server.name} link change ipipou0 ${type}`]);
    };
    execFileSync("sh", [
      "-ec",
      `ip -n ${server.name} route add local ${STAND_IN}/32 dev lo table local
       ip -n ${server.name} fou add port ${PORT} ipproto 4 local ${STAND_IN}
       ip -n ${outside.namespace} route add ${STAND_IN}/32 via ${SERVER}`,
    ]);
    device(STAND_IN);
    const wrapped = (source = INNER): { outer: Buffer; id: number } => {
      const inside = number(data(source));
      return { outer: udp({ ...fromClient, ...toServer, payload: inside.packet }), id: inside.id };
    };
    for (const conntrack of ["bypass", "track"] as const) {
      for (const lacking of [false, true]) {
        const wanted = gate([direct({ standIn: STAND_IN, conntrack })], { epochs: [EPOCH] });
        await become(gate([]));
        const changes = diffRuleset(TABLE, ruleset(wanted), ruleset(gate([])));
        await executeRuleset(server.netfilter, lacking ? withTracking(changes) : changes);
        const observed = await observeRuleset(server.netfilter, TABLE);
        const there = observed.kind === "ours" ? observed.objects : [];
        assert.deepEqual(diffRuleset(TABLE, ruleset(wanted), there), []);
        const [good, broken, other] = [wrapped(), wrapped(), wrapped("172.28.0.3")];
        const bad = wrapped();
        const straight = udp({
          ...{ ...fromClient, ...toServer, destination: STAND_IN },
          payload: bad.outer.subarray(28),
        });
        for (const packet of [good.outer, ...fragments(broken.outer, 9), other.outer, straight]) {
          sender.child.stdin?.write(`${packet.toString("hex")}\n`);
        }
        await eventually(() => numbersIn("inner").has(broken.id), { what: "the fragments" });
        await send([]);
        const inside = numbersIn("inner");
        assert.deepEqual(
          [good, other, bad].map(({ id }) => inside.has(id)),
          [true, false, false],
          `${conntrack}${lacking ? ", without tproxy" : ""}`,
        );
      }
    }
    device(SERVER);
    execFileSync("sh", [
      "-ec",
      `ip -n ${server.name} fou del port ${PORT} local ${STAND_IN}
       ip -n ${server.name} route del local ${STAND_IN}/32 dev lo table local`,
    ]);
  });
});
