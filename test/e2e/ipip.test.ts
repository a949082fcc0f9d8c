/**
 * IPIP without UDP: between two of ours, and with a host that has made its end by hand; beside a tunnel in
 * UDP, on one address. Nobody but the other end gets a packet through, and path MTU, TTL and TOS are what
 * the kernel makes of them.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { echoRequest, fragments, ipv4 } from "./support/packets.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { clientConfig, party, serverInner, statusOf, waitingTunnel } from "./support/tunnels.ts";
import { wholeSnapshot } from "./support/whole.ts";

const IPIP = 4;
/** echoRequest()'s. */
const INJECTED = /id 4660/;

describe("plain IPIP", () => {
  const one = party();
  let topology: Topology;
  let office: Host;
  let byHand: Host;
  let third: Host;
  let server: Daemon;
  let ours: Daemon;
  let client: Daemon;
  let untouched: string[];
  before(async () => {
    topology = await Topology.create();
    const { server: host } = topology;
    office = await topology.addStranger();
    byHand = await topology.addStranger();
    third = await topology.addStranger();
    untouched = [await wholeSnapshot(host), await snapshot(office)];
    server = await Daemon.prepare(
      host,
      `tunnels:
  office:
    encapsulation: none
    listen: "203.0.113.1"
    address: { local: 10.91.0.1, peer: 10.91.0.2 }
    tos: inherit
    peers:
      branch: { endpoint: ${office.address}, auth: none, allowedIPs: [10.91.0.2/32] }
  theirs:
    encapsulation: none
    listen: "203.0.113.1"
    address: { local: 10.92.0.1, peer: 10.92.0.2 }
    ttl: 77
    peers:
      them: { endpoint: ${byHand.address}, auth: none, allowedIPs: [10.92.0.2/32, 10.93.0.0/16] }
  ipipou0: ${JSON.stringify(waitingTunnel([one]))}
`,
    );
    ours = await Daemon.prepare(
      office,
      `tunnels:
  home:
    encapsulation: none
    address: { local: 10.91.0.2, peer: 10.91.0.1 }
    peers:
      server: { endpoint: ${host.address}, auth: none, allowedIPs: [10.91.0.1/32] }
`,
    );
    client = await Daemon.prepare(topology.client, clientConfig(one));
    await byHand.sh(`
      ip link add name hand0 type ipip local ${byHand.address} remote ${host.address}
      ip addr add 10.92.0.2 peer 10.92.0.1 dev hand0
      ip addr add 10.93.0.1/16 dev lo
      ip link set hand0 up`);
    await Promise.all([server.start(), ours.start()]);
  });
  after(async () => {
    for (const daemon of [client, ours, server]) await daemon.remove();
    await topology.remove();
  });

  it("tunnels both ways, with a host of ours and with one by hand, and no UDP is seen", async () => {
    const { server: host } = topology;
    const wire = await Capture.start(host, `host ${office.address} or host ${byHand.address}`);
    assert.ok(await office.reaches("10.91.0.1"), "from ours");
    assert.ok(await host.reaches("10.91.0.2"), "to ours");
    assert.ok(await byHand.reaches("10.92.0.1"), "from theirs");
    assert.ok(await host.reaches("10.92.0.2"), "to theirs");
    assert.ok(await host.reaches("10.93.0.1"), "to the network behind");
    const packets = (await wire.stop()).filter((line) => !/ARP/.test(line));
    assert.equal(packets.length, 10);
    for (const packet of packets) assert.match(packet, /IP 10\.9\d\.\S+ > .* ICMP echo/);
  });

  it("is what `ip` makes, with TTL and TOS as written", async () => {
    const links = JSON.parse(await topology.server.run("ip", "-d", "-j", "link")) as {
      ifname: string;
      mtu: number;
      linkinfo?: { info_data?: Record<string, unknown> };
    }[];
    const of = (name: string) => links.find(({ ifname }) => ifname === name);
    const { encap, ...theirs } = of("theirs")?.linkinfo?.info_data ?? {};
    assert.equal(encap, undefined);
    assert.equal(theirs["remote"], byHand.address);
    assert.equal(theirs["ttl"], 77);
    assert.equal(theirs["pmtudisc"], true);
    assert.equal(of("theirs")?.mtu, 1480);
    assert.equal(of("office")?.linkinfo?.info_data?.["tos"], "0x1", "the inner packet's");
    const wire = await Capture.start(office, "ip proto 4", { args: ["-v"] });
    await topology.server.run("ping", "-n", "-c", "1", "-Q", "0x20", "10.91.0.2");
    await wire.packet(/tos 0x20.*proto IPIP/);
    await wire.stop();
    const { tunnels } = (await statusOf(server)) as unknown as { tunnels: TunnelState[] };
    const state = tunnels.find(({ name }) => name === "theirs");
    assert.equal(state?.listen.port, null);
    assert.equal(state?.peers[0]?.endpoint, byHand.address);
    assert.equal(state?.peers[0]?.state, "static");
  });

  it("a third host's packets come out nowhere, nor do the other end's with an inner source of others", async () => {
    const { server: host, nat } = topology;
    await client.start();
    await eventually(() => topology.client.reaches(serverInner, 1));
    const out = await Capture.start(host, "icmp", { device: "any" });
    const inside = (source: string, innerSource: string, to = "10.91.0.1"): Buffer =>
      ipv4({
        ...{ source, destination: host.address, protocol: IPIP },
        payload: echoRequest(innerSource, to),
      });
    const injector = await Injector.start(third);
    const [, last] = fragments(inside(third.address, "10.91.0.2"), 9);
    await injector.sendAll([
      inside(third.address, "10.91.0.2"),
      inside(third.address, "10.92.0.2", "10.92.0.1"),
      last,
      // The public address of a peer that comes in UDP.
      inside(nat.address, one.inner, serverInner),
      inside(office.address, "10.92.0.2"),
      inside(byHand.address, "10.91.0.2"),
      inside(byHand.address, "10.94.0.1", "10.92.0.1"),
    ]);
    await topology.client.reaches(serverInner);
    const decapsulated = (lines: readonly string[]) =>
      lines.filter((line) => INJECTED.test(line) && !/ eth0 /.test(line));
    // The same packets from where they belong: so what did not come through was not for want of form.
    await injector.sendAll([
      inside(office.address, "10.91.0.2"),
      inside(byHand.address, "10.93.7.7", "10.92.0.1"),
    ]);
    await out.packet(/theirs +In .* 10\.93\.7\.7 > .*id 4660/);
    await injector.stop();
    const seen = decapsulated(await out.stop()).filter((line) => / In /.test(line));
    assert.equal(seen.length, 2, seen.join("\n"));
    assert.match(seen[0] ?? "", /office +In +IP 10\.91\.0\.2 > 10\.91\.0\.1/);
  });

  it("tells inner senders of a narrower path, and carries what is larger in pieces", async () => {
    const { server: host, internet } = topology;
    await internet.run("ip", "link", "set", "public", "mtu", "1300");
    await eventually(async () => {
      const { stdout, stderr } = await host.try(
        ...["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", "10.91.0.2"],
      );
      return /mtu ?= ?1280/.test(stdout + stderr);
    });
    await internet.run("ip", "link", "set", "public", "mtu", "1500");
    await office.run("ping", "-n", "-c", "1", "-W", "5", "-s", "3000", "10.91.0.1");
  });

  it("stopped, it leaves no trace at either end", async () => {
    const { server: host } = topology;
    await client.stop();
    await Promise.all([server.stop(), ours.stop()]);
    await host.sh("ip route flush cache");
    assert.equal(await wholeSnapshot(host), untouched[0]);
    assert.equal(await snapshot(office), untouched[1]);
  });
});

interface TunnelState {
  readonly name: string;
  readonly listen: { readonly port: number | null };
  readonly peers: readonly { readonly endpoint: string | null; readonly state: string }[];
}
