/** kill -9: what stands goes on, and the next start takes it over. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { bytesOf } from "./support/outer.ts";
import { Pinger } from "./support/ping.ts";
import { toServer } from "./support/prover.ts";
import { dial, type Side, serverOf, sidesOf } from "./support/sides.ts";
import { lasting, snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { peerOf, statusOf } from "./support/tunnels.ts";

interface Check {
  readonly ok: boolean;
  readonly steps: readonly unknown[];
}

describe("crash", () => {
  let topology: Topology;
  let direct: Side;
  let hub: Side;
  let server: Daemon;
  let client: Daemon;
  let hubClient: Daemon;
  before(async () => {
    topology = await Topology.create();
    ({ direct, hub } = await sidesOf(topology));
    server = await Daemon.start(topology.server, serverOf([direct, hub]));
    [client, hubClient] = await Promise.all([dial(direct), dial(hub)]);
  });
  after(async () => {
    for (const daemon of [client, hubClient, server]) await daemon.remove();
    await topology.remove();
  });

  const stateOf = async (host: Host): Promise<string> => lasting(await snapshot(host));

  async function checkSaysNothingToDo(daemon: Daemon): Promise<void> {
    const { stdout, stderr } = await daemon.cli("--check", "--json");
    assert.deepEqual((JSON.parse(stdout) as Check).steps, [], stderr);
  }

  /** Killed and started again under pings; the kernel's objects are the same ones before and after. */
  async function survives(daemon: Daemon): Promise<void> {
    const pingers = [direct, hub].map((side) => new Pinger(side.client, side.serverInner));
    for (const pinger of pingers) await pinger.moreReplies(5);
    const standing = await stateOf(daemon.host);
    await daemon.kill();
    assert.equal(await stateOf(daemon.host), standing, "while it is dead");
    await checkSaysNothingToDo(daemon);
    await daemon.start();
    for (const pinger of pingers) await pinger.moreReplies(5);
    for (const pinger of pingers) assert.deepEqual((await pinger.stop()).lost, []);
    assert.equal(await stateOf(daemon.host), standing, "after the new start");
    await checkSaysNothingToDo(daemon);
  }

  it("of a server costs its tunnels no packet, and the next takes them over: direct and hub", async () => {
    const sides = [direct, hub];
    const endpoints = async () => {
      const state = await statusOf(server);
      return sides.map(({ one, tunnel }) => {
        const peer = peerOf(state, one.name, tunnel);
        assert.equal(peer.state, "authenticated");
        return peer.endpoint;
      });
    };
    const before = await endpoints();
    await survives(server);
    assert.deepEqual(await endpoints(), before);
  });

  it("of a client costs its tunnel no packet, and the next takes it over", async () => {
    await survives(client);
    const { endpoint } = peerOf(await statusOf(client), "server");
    assert.equal(endpoint, `203.0.113.1:${direct.port}`);
  });

  it("aside: a captured authentication, sent again from elsewhere, moves nothing", async () => {
    const stranger = await topology.addStranger();
    const injector = await Injector.start(stranger);
    for (const [side, daemon] of [
      [direct, client],
      [hub, hubClient],
    ] as const) {
      const filter = `udp dst port ${side.port} and udp[4:2] == 81`;
      const wire = await Capture.start(topology.server, filter, { args: ["-x"] });
      daemon.process.child.kill("SIGUSR1");
      await eventually(() => wire.packets.some((line) => line.includes("0x0060:")), {
        what: `an authentication of ${side.form}; the client's log:\n${daemon.log.join("\n")}`,
      });
      const [packet = assert.fail()] = bytesOf(await wire.stop());
      if (side === direct) {
        // What was taken is remembered by the disk.
        await server.kill();
        await server.start();
      }
      const pinger = new Pinger(side.client, side.serverInner);
      await pinger.moreReplies(2);
      const before = await stateOf(topology.server);
      const { refused } = (await statusOf(server)).queue;
      const from = server.log.length;
      const source = { address: stranger.address, port: 5000 };
      const again = toServer(source, packet.subarray(28, 28 + 73), side.port);
      await injector.send(again, { count: 3 });
      await server.logs(/refused/, { from });
      assert.equal((await statusOf(server)).queue.refused, refused + 3);
      assert.equal(await stateOf(topology.server), before);
      assert.deepEqual((await pinger.stop()).lost, []);
    }
    await injector.stop();
  });
});
