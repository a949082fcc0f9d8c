/**
 * What tunnels are for beside their allowedIPs: a public address that stays reachable while its machine is
 * in another house, and a home whose mail goes out through a tunnel and all the rest directly. One YAML a
 * side; when they stop, the hosts are as they were.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import type { Program } from "./support/program.ts";
import { seenBy, startMail } from "./support/smtp.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { wholeSnapshot } from "./support/whole.ts";

/** A public address of the old house, whose machine has moved. */
const moved = "203.0.113.77";
/** At home: the router's end of its tunnel. */
const router = "10.25.0.2";

describe("mobility", () => {
  const keys = newKeyPair();
  let topology: Topology;
  /** Somebody on the Internet, with a mail server. */
  let site: Host;
  /** Behind another provider's NAT. */
  let machine: Host;
  let keeper: Daemon;
  let home: Daemon;
  let away: Daemon;
  const mail: Program[] = [];
  const untouched = new Map<Host, string>();

  const keeperConfig = `tunnels:
  moved:
    listen: "203.0.113.1:10000"
    address: 172.28.0.1/32
    peers:
      machine: { publicKey: "${keys.publicKey}", allowedIPs: [${moved}/32] }
    proxyArp: [{ address: ${moved}, device: eth0 }]
    forwarding: true
    clampMss: true
  mail:
    encapsulation: none
    listen: "203.0.113.1"
    address: { local: 10.25.0.1, peer: ${router} }
    peers:
      home: { endpoint: 198.51.100.2, auth: none, allowedIPs: [${router}/32, 192.0.2.0/24] }
`;
  const awayConfig = `tunnels:
  home:
    listen: "@eth0"
    address: ${moved}/32
    privateKey: "${keys.privateKey}"
    peers:
      keeper: { endpoint: "203.0.113.1:10000" }
    routes: [{ to: default, table: 77 }]
    rules: [{ from: ${moved}/32, table: 77 }]
`;
  const homeConfig = (more: string) => `tunnels:
  vps:
    encapsulation: none
    listen: "198.51.100.2"
    address: { local: ${router}, peer: 10.25.0.1 }
    peers:
      vps: { endpoint: 203.0.113.1, auth: none }
    clampMss: true
${more}`;
  const smtpThroughIt = `    routes: [{ to: default, table: 25 }]
    rules: [{ fwmark: 0x19/0xff, table: 25 }]
    marks: [{ protocol: tcp, destinationPort: 25, mark: 0x19/0xff }]
`;

  before(async () => {
    topology = await Topology.create();
    const { server, nat } = topology;
    site = await topology.addStranger();
    machine = await topology.addClient(await topology.addNat());
    // As careful hosts are; what forwarding changes along with itself is not as it would leave it.
    await server.sh(`
      echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects
      echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding
      nft 'add table ip out; add chain ip out post { type nat hook postrouting priority srcnat; }; add rule ip out post ip saddr { ${router}, 192.0.2.0/24 } oifname eth0 masquerade'`);
    await nat.sh("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter");
    untouched.set(server, await wholeSnapshot(server));
    untouched.set(nat, await wholeSnapshot(nat));
    untouched.set(machine, await snapshot(machine));
    mail.push(await startMail(site, site.address, 25, 80));
    keeper = await Daemon.prepare(server, keeperConfig);
    away = await Daemon.prepare(machine, awayConfig);
    home = await Daemon.prepare(nat, homeConfig(smtpThroughIt));
  });
  after(async () => {
    for (const program of mail) await program.stop("SIGKILL");
    for (const daemon of [home, away, keeper]) await daemon.remove();
    await topology.remove();
  });

  it("--check says what it would do, object by object", async () => {
    const { code, stdout, stderr } = await keeper.cli("--check", "--json");
    assert.equal(code, 0, stderr);
    const { steps } = JSON.parse(stdout) as { steps: { object: string; what: string }[] };
    const of = (object: string) => steps.filter((step) => step.object === object);
    assert.deepEqual(
      of("sysctl").map(({ what }) => what),
      ["net.ipv4.ip_forward = 1"],
    );
    assert.deepEqual(
      of("neighbour").map(({ what }) => what),
      [`proxy ${moved} dev eth0`],
    );
    await Promise.all([keeper.start(), away.start(), home.start()]);
  });

  it("a public address stays reachable from everywhere while its machine is in another house", async () => {
    await eventually(() => site.reaches(moved, 1), {
      what: `a ping; ${[...away.log, ...keeper.log].join("\n")}`,
    });
    const neighbour = await topology.internet.run("ip", "-j", "neigh", "show", moved);
    const [link] = JSON.parse(await topology.server.run("ip", "-j", "link", "show", "eth0")) as {
      address: string;
    }[];
    assert.match(neighbour, new RegExp(link?.address ?? "none"), "the keeper answers ARP for it");
    mail.push(await startMail(machine, moved, 25));
    const wire = await Capture.start(site, "tcp[tcpflags] & tcp-syn != 0");
    assert.equal(await seenBy(site, moved, 25), site.address, "nothing is translated");
    assert.equal(await seenBy(machine, site.address, 80, moved), moved, "from there too");
    const segments = (await wire.stop()).map((line) => Number(/mss (\d+)/.exec(line)?.[1]));
    assert.deepEqual(segments, [1460, 1432, 1432, 1460]);
  });

  it("mail goes through the tunnel, the rest directly; from the router itself too", async () => {
    const { client, nat, server } = topology;
    const wire = await Capture.start(client, "tcp[tcpflags] & tcp-syn != 0");
    assert.equal(
      await seenBy(client, site.address, 25),
      server.address,
      "forwarded, by the tunnel",
    );
    assert.equal(await seenBy(client, site.address, 80), nat.publicAddress, "forwarded, directly");
    assert.equal(
      await seenBy(nat, site.address, 25, router),
      server.address,
      "its own, by the tunnel",
    );
    assert.equal(await seenBy(nat, site.address, 80), nat.publicAddress, "its own, directly");
    const answers = (await wire.stop()).filter((line) => /Flags \[S\.\]/.test(line));
    assert.deepEqual(
      answers.map((line) => Number(/mss (\d+)/.exec(line)?.[1])),
      [1440, 1460],
      "the answer through the tunnel allows what the tunnel takes",
    );
    const filter = await nat.run("cat", "/proc/sys/net/ipv4/conf/vps/rp_filter");
    assert.equal(filter.trim(), "2", "beside a strict one for all");
  });

  it("a reload takes each away, and brings it back", async () => {
    const { client, nat, server } = topology;
    const reload = async (more: string): Promise<void> => {
      const from = home.process.lines.length;
      await home.configure(homeConfig(more));
      home.process.child.kill("SIGHUP");
      await home.logs(/reloaded/, { from });
    };
    await reload("");
    assert.doesNotMatch(await nat.run("ip", "rule", "show"), /lookup 25/);
    assert.equal((await nat.run("ip", "route", "show", "table", "all")).match(/table 25/), null);
    assert.doesNotMatch(await nat.run("nft", "list", "table", "ip", "ipipou"), /mark/);
    assert.equal(await seenBy(client, site.address, 25), nat.publicAddress);
    await reload(smtpThroughIt);
    assert.equal(await seenBy(client, site.address, 25), server.address);
  });

  it("killed and started again it knows what was there before; stopped it leaves no trace", async () => {
    const { server, nat } = topology;
    const forwards = async () => (await server.run("cat", "/proc/sys/net/ipv4/ip_forward")).trim();
    await keeper.kill();
    assert.equal(await forwards(), "1");
    await keeper.start();
    assert.equal(await keeper.stop(), 0);
    assert.equal(await forwards(), "0");
    assert.equal(await home.stop(), 0);
    assert.equal(await away.stop(), 0);
    assert.equal(await wholeSnapshot(server), untouched.get(server));
    assert.equal(await wholeSnapshot(nat), untouched.get(nat));
    assert.equal(await snapshot(machine), untouched.get(machine));
  });
});
