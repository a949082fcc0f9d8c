/** A client whose NAT changes its mind: the tunnel follows with one authentication, and nobody else notices. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { isAuthentication, outerPackets } from "./support/outer.ts";
import { echoRequest } from "./support/packets.ts";
import { Pinger } from "./support/ping.ts";
import { type From, toServer } from "./support/prover.ts";
import { type Dial, dial, type Side, serverOf, sidesOf } from "./support/sides.ts";
import { Topology } from "./support/topology.ts";
import { party, peerOf, statusOf, waitingTunnel } from "./support/tunnels.ts";

/** Moves in a row. */
const moves = 20;

describe("roaming", () => {
  let topology: Topology;
  let direct: Side;
  let hub: Side;
  let server: Daemon;
  let stranger: Host;
  let injector: Injector;
  /** Others, who stay where they are: one on the hub, one with a tunnel of its own. */
  let settled: readonly Dial[];
  const daemons: Daemon[] = [];
  const clients = new Map<Side, Daemon>();
  before(async () => {
    topology = await Topology.create();
    ({ direct, hub } = await sidesOf(topology));
    stranger = await topology.addStranger();
    injector = await Injector.start(stranger);
    const alone = { ...party(9), inner: "172.28.2.2" };
    const own = { port: 10_002, address: "172.28.2.1/24" };
    const more = { ipipou2: waitingTunnel([alone], own) };
    server = await Daemon.start(topology.server, serverOf([direct, hub], more));
    settled = [
      { ...hub, client: await topology.addStranger(), one: hub.others[0] ?? assert.fail() },
      {
        port: own.port,
        serverInner: "172.28.2.1",
        client: await topology.addStranger(),
        one: alone,
      },
    ];
    const started = await Promise.all([direct, hub, ...settled].map((one) => dial(one)));
    daemons.push(...started);
    for (const [i, side] of [direct, hub].entries()) clients.set(side, started[i] ?? assert.fail());
  });
  after(async () => {
    for (const daemon of [...daemons, server]) await daemon.remove();
    await injector.stop();
    await topology.remove();
  });

  /** What SIGUSR1 says: authenticate now. */
  const reauth = (daemon: Daemon | undefined): void => void daemon?.process.child.kill("SIGUSR1");

  const pingThrough = ({ client, serverInner }: Dial): Pinger => new Pinger(client, serverInner);

  /** Whether data from this endpoint comes out of the server's tunnel. */
  async function comesOut(from: From, side: Side, sequence: number): Promise<boolean> {
    const { one, serverInner, port } = side;
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const inside = await Capture.start(topology.server, filter, { device: "any" });
    await injector.send(toServer(from, echoRequest(one.inner, serverInner, sequence), port));
    // Behind it, on the same way, something that anyone may send.
    await injector.send(echoRequest(stranger.address, topology.server.address, sequence + 1));
    await inside.packet(new RegExp(`seq ${sequence + 1},`));
    return (await inside.stop()).some((line) => line.includes(`seq ${sequence},`));
  }

  /** One move, judged by the server's wire: gives the endpoints before and after. */
  async function roam(
    side: Side,
    pinger: Pinger,
    change: () => Promise<void>,
  ): Promise<{ before: From; now: From }> {
    const wire = await Capture.start(topology.server, `udp port ${side.port}`);
    const { address } = topology.server;
    type Packet = ReturnType<typeof outerPackets>[number];
    const from = ({ source, sourcePort }: Packet): string => `${source}:${sourcePort}`;
    const toUs = () =>
      outerPackets(wire.packets).filter(
        ({ source, destination }) => destination === address && atHome(source),
      );
    const atHome = (source: string): boolean =>
      settled.every((one) => one.client.address !== source);
    const first = await eventually(() => toUs()[0]);
    await change();
    // Data alone moves nothing.
    const moved = await eventually(() => toUs().find((packet) => from(packet) !== from(first)));
    reauth(clients.get(side));
    await pinger.moreReplies(3);
    const all = outerPackets(await wire.stop());
    const proofs = all.filter((packet) => from(packet) === from(moved) && isAuthentication(packet));
    assert.equal(proofs.length, 1, "authentications from the new endpoint");
    const answer = all.findIndex(
      ({ destination, destinationPort }) => `${destination}:${destinationPort}` === from(moved),
    );
    assert.ok(
      answer > all.findIndex((packet) => proofs.includes(packet)),
      "an answer before the proof",
    );
    const end = ({ source, sourcePort }: Packet): From => ({ address: source, port: sourcePort });
    return { before: end(first), now: end(moved) };
  }

  for (const form of ["direct", "hub"] as const) {
    it(`follows a changed port and a changed address with one authentication: ${form}`, async () => {
      const side = form === "direct" ? direct : hub;
      const { nat, one, tunnel } = side;
      const pinger = pingThrough(side);
      await pinger.moreReplies(1);
      const { accepted, refused } = (await statusOf(server)).queue;
      let sequence = 1000;
      for (const change of [
        () => nat.changeMapping(),
        () => nat.changeAddress(`198.51.100.${form === "direct" ? 22 : 23}`),
      ]) {
        const { before, now } = await roam(side, pinger, change);
        assert.equal(now.address, nat.publicAddress);
        assert.ok(!(await comesOut(before, side, sequence)), "data from the old endpoint");
        assert.ok(await comesOut(now, side, sequence + 2), "data from the new endpoint");
        sequence += 4;
      }
      await pinger.stop();
      const state = await statusOf(server);
      const { queue } = state;
      assert.deepEqual([queue.accepted, queue.refused], [accepted + 2, refused]);
      assert.equal(peerOf(state, one.name, tunnel).form, form);
    });
  }

  it("costs the others nothing: 20 times, direct and on a hub, while they ping", async () => {
    const watching = settled.map(pingThrough);
    const sides = [direct, hub];
    const roaming = sides.map((side) => ({ side, pinger: pingThrough(side) }));
    for (const pinger of watching) await pinger.moreReplies(5);
    for (let i = 0; i < moves; i++) {
      for (const { nat } of sides) await nat.changeMapping();
      for (const side of sides) reauth(clients.get(side));
      await Promise.all(roaming.map(({ pinger }) => pinger.moreReplies(1)));
    }
    for (const pinger of watching) {
      const { lost, received } = await pinger.stop();
      assert.deepEqual(lost, []);
      assert.ok(received > 50, `${received} replies`);
    }
    for (const { pinger } of roaming) await pinger.stop();
    const roamed = server.log.filter((line) => line.includes("roamed"));
    assert.ok(roamed.length >= 2 * moves, `${roamed.length} moves`);
  });

  it("takes a second client behind the public address where another is, and costs that one nothing", async () => {
    const late = hub.others[1] ?? assert.fail();
    const neighbour = await topology.addClient(hub.nat);
    const holding = pingThrough(hub);
    await holding.moreReplies(2);
    const before = peerOf(await statusOf(server), hub.one.name, hub.tunnel);
    daemons.push(await dial({ ...hub, client: neighbour, one: late }));
    assert.deepEqual((await holding.stop()).lost, []);
    const state = await statusOf(server);
    assert.deepEqual(peerOf(state, hub.one.name, hub.tunnel), before);
    const { form, endpoint } = peerOf(state, late.name, hub.tunnel);
    assert.equal(form, "translated");
    assert.equal(endpoint?.split(":")[0], before.endpoint?.split(":")[0]);
  });
});
