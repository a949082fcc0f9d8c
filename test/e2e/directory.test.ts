/**
 * Fleets from a hosts file: hosts that run ours and hosts that run udptun, one to one and one to many, a gateway
 * with several inner addresses, what nobody has, what is no packet, IPsec inside, and a large directory.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Counted, counting } from "./support/counted.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { OldUdptun } from "./support/old-udptun.ts";
import { echoRequest } from "./support/packets.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { statusOf } from "./support/tunnels.ts";

type Nodes = Readonly<Record<string, { host: string; port?: number }>>;

const inner = (number: number): string => `192.168.100.${number}`;
/**
 * As many as an emulated CPU has the patience for; IPIPOUD_NODES=10000 has more (and a guest with 3 GB), and
 * test/unit/apply/directory.test.ts has as many without a kernel.
 */
const many = Number(process.env["IPIPOUD_NODES"] ?? 1000);
/** MB: as for a hub of 3,000; of more nodes what two readings of the file leave to be collected weighs most. */
const mostMemory = 100 + Math.max(0, many - 3000) / 35;

describe("a fleet from a hosts file", () => {
  let topology: Topology;
  let folder: string;
  let file: string;
  /** Ours: the server of the topology, and another. */
  let one: Host;
  let two: Host;
  /** udptun's, with two inner addresses. */
  let old: Host;
  let udptun: OldUdptun;
  let daemons: Daemon[] = [];
  let clean = "";

  const base = (): Nodes => ({
    [inner(1)]: { host: one.address },
    [inner(2)]: { host: two.address },
    [inner(3)]: { host: old.address },
    [inner(4)]: { host: old.address },
  });

  /** As careful people replace a file. */
  async function write(nodes: Nodes): Promise<void> {
    await writeFile(`${file}.new`, JSON.stringify({ nodes }));
    await rename(`${file}.new`, file);
  }

  const configuration = (number: number): Record<string, unknown> => ({
    tunnels: {
      fleet: {
        listen: "@eth0",
        address: `${inner(number)}/24`,
        directory: { file },
      },
    },
  });

  before(async () => {
    topology = await Topology.create();
    folder = await mkdtemp(join(tmpdir(), "ipipoud-hosts-"));
    file = join(folder, "hosts.json");
    one = topology.server;
    two = await topology.addStranger();
    old = await topology.addStranger();
    await write(base());
    clean = await snapshot(one);
    udptun = await OldUdptun.start(old, file, [`${inner(3)}/24`, `${inner(4)}/32`]);
    daemons = await Promise.all([
      Daemon.start(one, configuration(1), { environment: counting }),
      Daemon.start(two, configuration(2)),
    ]);
  });
  after(async () => {
    await udptun?.stop();
    for (const daemon of daemons) await daemon.remove();
    await topology.remove();
    await rm(folder, { recursive: true });
  });

  const first = (): Daemon => {
    const [daemon] = daemons;
    assert.ok(daemon);
    return daemon;
  };

  async function reach(from: Host, to: string, ...args: string[]): Promise<void> {
    const { stdout, code } = await from.try("ping", "-nc1", "-W5", ...args, to);
    assert.equal(code, 0, stdout);
  }

  async function nexthops(host: Host, via: string): Promise<string[]> {
    const shown = (await host.run("ip", "nexthop", "show", "dev", "fleet")).split("\n");
    return shown
      .filter((line) => line.includes(` via ${via} `))
      .flatMap((line) => /^id (\d+)/.exec(line)?.[1] ?? []);
  }

  it("reaches each of its hosts, ours and udptun's, from either side", async () => {
    await reach(one, inner(2));
    await reach(two, inner(1));
    // udptun's sends from a port that the system chose, to 7777.
    const outer = await Capture.start(one, `udp and src host ${old.address}`);
    await reach(old, inner(1));
    await reach(one, inner(3));
    await reach(two, inner(3));
    const packet = await outer.packet(/ > 203\.0\.113\.1\.7777/);
    assert.doesNotMatch(packet, /\.7777 > /);
    await outer.stop();
  });

  it("reaches a gateway's second address, and is reached from it", async () => {
    await reach(one, inner(4));
    await reach(old, inner(1), "-I", inner(4));
    const names = (await statusOf(first())).tunnels[0]?.peers.map(({ name, state }) => [
      name,
      state,
    ]);
    assert.deepEqual(
      names,
      [2, 3, 4].map((number) => [inner(number), "static"]),
    );
  });

  it("answers with host unreachable for what nobody has", async () => {
    // Who asks for it here hears it at once; whose packets we forward gets the ICMP error.
    const { stderr } = await one.try("ping", "-nc1", "-W5", inner(77));
    assert.match(stderr, /No route to host/);
    await one.sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
    const [way = ""] = await nexthops(two, one.address);
    await two.run("ip", "route", "add", `${inner(77)}/32`, "nhid", way);
    const { stdout } = await two.try("ping", "-nc1", "-W5", inner(77));
    assert.match(stdout, /From 192\.168\.100\.1 .*Destination Host Unreachable/);
    await two.run("ip", "route", "del", `${inner(77)}/32`, "nhid", way);
    await one.sh("echo 0 >/proc/sys/net/ipv4/ip_forward");
    const { stdout: others } = await old.try("ping", "-nc1", "-W5", inner(77));
    assert.match(others, /Destination Host Unreachable/);
  });

  it("drops what is no IPv4 packet, and whose inner address is another's", async () => {
    const echoes = async (): Promise<number> => {
      const snmp = await one.run("cat", "/proc/net/snmp");
      const [names = "", values = ""] = snmp.split("\n").filter((line) => line.startsWith("Icmp:"));
      return Number(values.split(" ")[names.split(" ").indexOf("InEchos")]);
    };
    const good = echoRequest(inner(3), inner(1));
    const altered = (at: number, value: number): Buffer => {
      const packet = Buffer.from(good);
      packet[at] = value;
      return packet;
    };
    const stranger = await topology.addStranger();
    const start = await echoes();
    for (const packet of [
      altered(0, 0x65), // version 6
      altered(0, 0x44), // a header of 16 bytes
      altered(0, 0x4f), // one of 60 bytes, whose checksum is wrong
      altered(3, good.length + 1), // longer than the datagram
      altered(3, 19), // shorter than its header
      good.subarray(0, 19),
      good.subarray(0, 24),
      Buffer.alloc(0),
      echoRequest(inner(2), inner(1)), // of another host
      echoRequest(inner(77), inner(1)), // of nobody
    ])
      await udptun.send(packet, one.address);
    const forge = `python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes.fromhex("${good.toString("hex")}"), ("${one.address}", 7777))'`;
    await stranger.sh(forge);
    await udptun.send(good, one.address);
    await eventually(async () => (await echoes()) > start, { what: "the good packet" });
    assert.equal(await echoes(), start + 1);
  });

  it("carries IPsec in transport mode", async () => {
    const states = (source: string, destination: string, spi: string): string => `
      ip xfrm state add src ${source} dst ${destination} proto esp spi ${spi} mode transport \
        enc "ecb(cipher_null)" "" auth "hmac(sha1)" 0x${"ab".repeat(20)}`;
    const policies = (mine: string, theirs: string): string => `
      ip xfrm policy add src ${mine} dst ${theirs} dir out tmpl proto esp mode transport
      ip xfrm policy add src ${theirs} dst ${mine} dir in tmpl proto esp mode transport level required`;
    await one.sh(
      "modprobe -a xfrm_user esp4 authenc cbc aes_generic sha256_generic echainiv || true",
    );
    for (const [host, mine, theirs] of [
      [one, inner(1), inner(2)],
      [two, inner(2), inner(1)],
    ] as const) {
      await host.sh(states(inner(1), inner(2), "0x101"));
      await host.sh(states(inner(2), inner(1), "0x102"));
      await host.sh(policies(mine, theirs));
    }
    const inside = await Capture.start(two, "esp", { device: "fleet" });
    await reach(one, inner(2));
    await inside.packet(/192\.168\.100\.2 > 192\.168\.100\.1: ESP/);
    await inside.stop();
    for (const host of [one, two]) await host.sh("ip xfrm policy flush; ip xfrm state flush");
    await reach(one, inner(2));
  });

  it("follows its file: in place, by another, gone and broken", async () => {
    const at = (number: number) => ({ ...base(), [inner(number)]: { host: "198.51.100.99" } });
    const route = async (number: number, there: boolean): Promise<void> => {
      await eventually(
        async () => {
          const shown = await one.run("ip", "route", "show", `${inner(number)}/32`);
          return shown.includes("nhid") === there;
        },
        { what: `a route to ${inner(number)}: ${there}; ${first().log.join("\n")}` },
      );
    };
    await writeFile(file, JSON.stringify({ nodes: at(5) }));
    await route(5, true);
    await write(at(6));
    await route(6, true);
    await route(5, false);
    let from = first().log.length;
    await writeFile(file, '{"nodes": {"192.168.100.2": {"host": ');
    await first().logs(/failed .*not valid JSON/, { from });
    await rm(file);
    await first().logs(/failed .*no such file/, { from });
    await reach(one, inner(2));
    from = first().log.length;
    await write(base());
    await first().logs(/changed /, { from });
    await route(6, false);
    await reach(one, inner(3));
  });

  const nodesKnown = () => one.run("nft", "list", "set", "ip", "ipipou", "nodes-fleet");

  it("of a thousand that changes by one changes what one of them has, and stays small", async (t) => {
    const crowd: Record<string, { host: string }> = { ...base() };
    for (let i = 0; i < many; i++) {
      crowd[`10.7.${i >> 8}.${i & 255}`] = { host: `198.18.${i >> 8}.${i & 255}` };
    }
    // Whoever else reads it has nothing to do with this.
    await daemons[1]?.stop();
    const routes = async (): Promise<number> =>
      (await one.run("ip", "-o", "route", "show")).split("\n").filter((line) => /nhid/.test(line))
        .length;
    const begun = performance.now();
    await write(crowd);
    const patience = { timeout: 60_000 + 30 * many, interval: Math.max(50, many / 5) };
    await eventually(async () => (await routes()) === many + 3, {
      ...{ what: `${many + 3} routes`, ...patience },
    });
    const loaded = performance.now();
    const counted = new Counted(first().process);
    const before = await counted.messages();
    const changes = one.start("ip", ["-o", "monitor", "nexthop", "route"]);
    await write({ ...crowd, "10.7.1.1": { host: "198.18.255.255" } });
    await eventually(() => changes.lines.some((line) => line.includes("198.18.255.255")), {
      what: "the nexthop",
    });
    const changed = performance.now();
    await eventually(async () => (await nodesKnown()).includes("198.18.255.255"), patience);
    await changes.stop("SIGINT");
    const messages = (await counted.messages()) - before;
    // Looking takes one for each kind of object, writing three for a nexthop and its elements.
    assert.ok(messages < 30, `${messages} messages`);
    const others = changes.lines.filter((line) => !line.includes("198.18.255.255"));
    assert.deepEqual(others, []);
    const status = await readFile(`/proc/${first().process.pid}/status`, "utf8");
    const resident = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    t.diagnostic(
      `${many} nodes in ${Math.round(loaded - begun)} ms; one changed in ${Math.round(changed - loaded)} ms ` +
        `with ${messages} messages; ${Math.round(resident)} MB`,
    );
    assert.ok(resident < mostMemory, `${Math.round(resident)} MB`);
  });

  it("leaves nothing behind", async () => {
    assert.equal(await first().stop(), 0);
    assert.equal(await snapshot(one), clean);
  });
});
