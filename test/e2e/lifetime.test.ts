/**
 * A proof ends when its time is over, on a direct tunnel and on a hub, with a daemon and without one: seen
 * from outside, by the clock of the packets themselves.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Pinger } from "./support/ping.ts";
import { type Side, sidesOf } from "./support/sides.ts";
import { Topology } from "./support/topology.ts";
import { clientConfig, openQueue, peerOf, statusOf, waitingTunnel } from "./support/tunnels.ts";

/** Seconds. */
const lifetime = 8;
const tolerance = 1;

describe("lifetime", () => {
  let topology: Topology;
  let sides: readonly Side[] = [];
  let server: Daemon;
  const clients = new Map<Side, Daemon>();
  before(async () => {
    topology = await Topology.create();
    const { direct, hub } = await sidesOf(topology);
    sides = [direct, hub];
    const tunnels = sides.map(({ tunnel, one, others, port, serverInner }) => {
      const address = `${serverInner}/24`;
      const peer = { authLifetime: `${lifetime}s` };
      return [tunnel, waitingTunnel([one, ...others], { port, address, peer })] as const;
    });
    const config = { queue: openQueue, tunnels: Object.fromEntries(tunnels) };
    server = await Daemon.start(topology.server, config);
    for (const side of sides) {
      const { client, one, port } = side;
      clients.set(side, await Daemon.prepare(client, clientConfig(one, { port })));
    }
  });
  after(async () => {
    for (const client of clients.values()) await client.remove();
    await server.remove();
    await topology.remove();
  });

  /**
   * Has each client prove itself, and pings on until nothing comes back. Then the moments must fit: the last
   * answer to a ping against the last proof, as the server's own device has seen them.
   */
  async function runsOut(meanwhile: () => Promise<void>): Promise<void> {
    const ports = sides.map(({ port }) => `udp port ${port}`).join(" or ");
    const outside = await Capture.start(topology.server, ports);
    for (const client of clients.values()) await client.start();
    for (const { port } of sides)
      await outside.packet(new RegExp(`> .*\\.${port}: UDP, length 73`));
    const pingers = sides.map(
      (side) => new Pinger(side.client, side.serverInner, { interval: 0.1 }),
    );
    for (const pinger of pingers) await pinger.moreReplies(3);
    // Their tunnels go on without them, and nobody proves anything anew.
    for (const client of clients.values()) await client.kill();
    await meanwhile();
    for (const pinger of pingers) await pinger.moreReplies(3);
    const silent = async (pinger: Pinger): Promise<void> => {
      let count = -1;
      await eventually(
        () => {
          const now = pinger.sequences.length;
          const same = now === count;
          count = now;
          return same;
        },
        { interval: 2000, timeout: 60_000, what: "no more replies" },
      );
    };
    await Promise.all(pingers.map(silent));
    for (const { client, serverInner } of sides) assert.ok(!(await client.reaches(serverInner, 1)));
    for (const pinger of pingers) await pinger.stop({ settle: false });

    const lines = await outside.stop();
    const moments = (pattern: RegExp): number[] =>
      lines.filter((line) => pattern.test(line)).map((line) => Number.parseFloat(line));
    for (const { form, port } of sides) {
      const proof = Math.max(
        ...moments(new RegExp(`> 203\\.0\\.113\\.1\\.${port}: UDP, length 73`)),
      );
      const answered = moments(new RegExp(`IP 203\\.0\\.113\\.1\\.${port} > .*: UDP, length 84`));
      const asked = moments(new RegExp(`> 203\\.0\\.113\\.1\\.${port}: UDP, length 84`));
      const lasted = Math.max(...answered) - proof;
      assert.ok(Math.abs(lasted - lifetime) < tolerance, `${form}: ${lasted} s`);
      assert.ok(Math.max(...asked) - proof > lifetime + 1, `${form}: asked all the while`);
    }
  }

  it("over: traffic stops at the moment, on a direct tunnel and on a hub", async () => {
    await runsOut(async () => undefined);
    for (const { tunnel, one } of sides) {
      const peer = peerOf(await statusOf(server), one.name, tunnel);
      assert.deepEqual([peer.state, peer.endpoint], ["expired", null]);
    }
    for (const { tunnel } of sides) await server.logs(new RegExp(`${tunnel}/.*expired`));
  });

  it("over, and no daemon there since before: traffic stops at the same moment", async () => {
    await runsOut(() => server.kill());
  });

  it("a new daemon takes up what is left: nothing, until a new proof", async () => {
    await server.start();
    for (const side of sides) {
      const { tunnel, one, client, serverInner } = side;
      const peer = peerOf(await statusOf(server), one.name, tunnel);
      assert.deepEqual([peer.state, peer.endpoint], ["waiting", null]);
      await clients.get(side)?.start();
      await eventually(() => client.reaches(serverInner, 1));
    }
  });
});
