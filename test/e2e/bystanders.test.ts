/** The host's other traffic works as if no tunnel were there: before, while, when it can't keep up, after. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { junkProof, toServer } from "./support/prover.ts";
import { Services } from "./support/services.ts";
import { Topology } from "./support/topology.ts";
import {
  clientConfig,
  party,
  port,
  serverConfig,
  serverInner,
  statusOf,
} from "./support/tunnels.ts";

/** Packets that wait in the queue before it is full. */
const queueLength = 64;

describe("bystanders", () => {
  const one = party(0);
  let topology: Topology;
  let friend: Host;
  let server: Daemon;
  let client: Daemon;
  let here: Services;
  let there: Services;
  before(async () => {
    topology = await Topology.create();
    friend = await topology.addStranger();
    const config = serverConfig([one]);
    const queue = { ...(config["queue"] as object), maxLength: queueLength };
    server = await Daemon.prepare(topology.server, { ...config, queue });
    await ipip("other0", topology.server, friend, "10.9.0.1", "10.9.0.2");
    await ipip("other0", friend, topology.server, "10.9.0.2", "10.9.0.1");
    here = await Services.start(topology.server, 9999);
    // The tunnel's own port, on another host.
    there = await Services.start(friend, port);
    client = await Daemon.prepare(topology.client, clientConfig(one));
  });
  after(async () => {
    await client.remove();
    await server.remove();
    await here.stop();
    await there.stop();
    await topology.remove();
  });

  /** A tunnel of others, made by hand. */
  async function ipip(
    name: string,
    host: Host,
    to: Host,
    inner: string,
    innerPeer: string,
  ): Promise<void> {
    await host.sh(`
      ip link add name ${name} type ipip local ${host.address} remote ${to.address}
      ip addr add ${inner} peer ${innerPeer} dev ${name}
      ip link set ${name} up`);
  }

  async function othersWork(when: string): Promise<void> {
    const { server: host } = topology;
    assert.ok(await friend.reaches(host.address), `ICMP to the host ${when}`);
    assert.ok(await host.reaches(friend.address), `ICMP from the host ${when}`);
    assert.ok(await friend.reaches("10.9.0.1"), `IPIP of others to the host ${when}`);
    assert.ok(await host.reaches("10.9.0.2"), `IPIP of others from the host ${when}`);
    await here.use(friend);
    await there.use(host);
  }

  it("work before the start", async () => {
    await othersWork("before");
  });

  it("work while a tunnel waits, and while it stands", async () => {
    await server.start();
    await othersWork("while it waits");
    await client.start();
    await eventually(() => topology.client.reaches(serverInner, 1));
    await othersWork("while it stands");
  });

  it("work when their tunnel is made while ours stands", async () => {
    const late = await topology.addStranger();
    await ipip("other1", topology.server, late, "10.9.1.1", "10.9.1.2");
    await ipip("other1", late, topology.server, "10.9.1.2", "10.9.1.1");
    await eventually(() => late.reaches("10.9.1.1", 1), { timeout: 15_000 });
    await topology.server.run("ip", "link", "del", "other1");
  });

  it("work while the queue is full, and so does the tunnel that stands", async () => {
    const injector = await Injector.start(friend);
    server.process.child.kill("SIGSTOP");
    try {
      const packets = Array.from({ length: 50 }, (_, i) =>
        toServer({ address: friend.address, port: 2000 + i }, junkProof()),
      );
      for (const packet of packets) await injector.send(packet, { count: 10 });
      const [, , waiting, , , dropped] = (
        await topology.server.run("cat", "/proc/net/netfilter/nfnetlink_queue")
      )
        .trim()
        .split(/\s+/);
      assert.ok(Number(waiting) >= queueLength, `${waiting} packets wait`);
      assert.ok(Number(dropped) > 0, "packets were dropped for want of room");
      await othersWork("while the queue is full");
      assert.ok(await topology.client.reaches(serverInner), "the tunnel that stands");
    } finally {
      server.process.child.kill("SIGCONT");
      await injector.stop();
    }
    await eventually(async () => (await statusOf(server)).queue.received >= queueLength);
  });

  it("work while the daemon is dead, and so does the tunnel that stands", async () => {
    await server.kill();
    await othersWork("while it is dead");
    assert.ok(await topology.client.reaches(serverInner), "the tunnel that stands");
    const injector = await Injector.start(friend);
    await injector.send(toServer({ address: friend.address, port: 2000 }, junkProof()), {
      count: 100,
    });
    await injector.stop();
    await othersWork("while it is dead and somebody knocks");
  });

  it("work after the stop", async () => {
    await server.start();
    assert.equal(await server.stop(), 0);
    await othersWork("after");
  });
});
