/** A hub: three clients on one port and one interface, each with its own key. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { echoRequest, udp } from "./support/packets.ts";
import { Topology } from "./support/topology.ts";
import {
  clientPort,
  type Party,
  party,
  port,
  serverConfig,
  serverInner,
  startClient,
  statusOf,
} from "./support/tunnels.ts";

describe("hub", () => {
  const parties = [party(0), party(1), party(2)] as const;
  const daemons: Daemon[] = [];
  let topology: Topology;
  let server: Daemon;
  let hosts: readonly [Host, Host, Host];
  before(async () => {
    topology = await Topology.create();
    const elsewhere = await topology.addNat();
    hosts = [
      topology.client,
      await topology.addClient(elsewhere),
      await topology.addStranger("198.51.100.77"),
    ];
    server = await Daemon.start(topology.server, serverConfig(parties));
    await topology.server.sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
    const clients = hosts.map((host, i) => startClient(host, parties[i] ?? assert.fail()));
    daemons.push(...(await Promise.all(clients)));
  });
  after(async () => {
    for (const daemon of [...daemons, server]) await daemon.remove();
    await topology.remove();
  });

  it("carries each client's ping, on one device and one listener", async () => {
    const state = await statusOf(server);
    const peers = state.tunnels[0]?.peers ?? [];
    assert.deepEqual(
      peers.map((peer) => [peer.state, peer.form]),
      parties.map(() => ["authenticated", "hub"]),
    );
    for (const host of hosts) assert.ok(await host.reaches(serverInner));
    for (const { inner } of parties) assert.ok(await topology.server.reaches(inner));
    const links = JSON.parse(await topology.server.run("ip", "-d", "-j", "link", "show"));
    const tunnels = (links as { linkinfo?: { info_kind?: string }; ifname: string }[])
      .filter(({ linkinfo, ifname }) => linkinfo?.info_kind === "ipip" && ifname !== "tunl0")
      .map(({ ifname }) => ifname);
    assert.deepEqual(tunnels, ["ipipou0"]);
    assert.equal((await topology.server.run("ip", "fou", "show")).trim().split("\n").length, 1);
  });

  it("carries packets from client to client through itself", async () => {
    for (const [i, host] of hosts.entries()) {
      for (const [j, { inner }] of parties.entries()) {
        if (i !== j) assert.ok(await host.reaches(inner), `client ${i} to client ${j}`);
      }
    }
  });

  /** Sequence numbers of our injected pings that came out anywhere on the server. */
  async function arriving(inject: (done: () => Promise<void>) => Promise<void>): Promise<number[]> {
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const capture = await Capture.start(topology.server, filter, { device: "any" });
    await inject(async () => {
      await capture.packet(/seq 999,/);
    });
    const lines = await capture.stop();
    const sequences = lines.flatMap((line) => /seq (\d+),/.exec(line)?.[1] ?? []);
    return [...new Set(sequences.map(Number))].sort((a, b) => a - b);
  }

  async function send(
    injector: Injector,
    host: Host,
    inner: Party,
    sequence: number,
    sourcePort = clientPort,
  ): Promise<void> {
    const payload = echoRequest(inner.inner, serverInner, sequence);
    const ends = { source: host.address, destination: topology.server.address };
    await injector.send(udp({ ...ends, sourcePort, destinationPort: port, payload }));
  }

  it("drops an authenticated client's packet with another's inner address", async () => {
    for (const [i, host] of hosts.entries()) {
      const injector = await Injector.start(host);
      const own = parties[i] ?? assert.fail();
      const others = parties.filter((one) => one !== own);
      const seen = await arriving(async (last) => {
        for (const [j, other] of others.entries()) await send(injector, host, other, 10 + j);
        await send(injector, host, { ...own, inner: "172.28.0.99" }, 12);
        await send(injector, host, { ...own, inner: serverInner }, 13);
        await send(injector, host, own, 999);
        await last();
      });
      assert.deepEqual(seen, [999], host.name);
      await injector.stop();
    }
  });

  it("drops what comes from a client's public address with another source port", async () => {
    const [, , host] = hosts;
    const own = parties[2];
    const neighbour = await topology.addClient();
    const injector = await Injector.start(host);
    const beside = await Injector.start(neighbour);
    const seen = await arriving(async (last) => {
      await send(injector, host, own, 20, clientPort + 1);
      await send(injector, host, own, 21, port);
      // Behind the first client's NAT, so from its public address and a port of the NAT's choice.
      await send(beside, neighbour, parties[0], 22);
      await send(beside, neighbour, parties[0], 23, clientPort + 1);
      await topology.server.run("ping", "-c", "1", topology.nat.publicAddress);
      await send(injector, host, own, 999);
      await last();
    });
    assert.deepEqual(seen, [999]);
    await injector.stop();
    await beside.stop();
    for (const { inner } of parties) assert.ok(await topology.server.reaches(inner));
  });
});
