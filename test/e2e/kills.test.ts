/**
 * kill -9 at random moments of start, authentication, roam, reload and stop, while pings pass the tunnels that
 * stand: none is lost, the next start comes to the state of one from nothing, and what was taken before is
 * not taken again. IPIPOUD_KILLS says how many.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Injector } from "./support/inject.ts";
import { Pinger } from "./support/ping.ts";
import { type From, Prover } from "./support/prover.ts";
import { dial, type Side, serverOf, sidesOf } from "./support/sides.ts";
import { renewable, snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { party, waitingTunnel } from "./support/tunnels.ts";

/** Each phase twice on each kernel: a kill and what follows take ten seconds in a guest. */
const kills = Number(process.env["IPIPOUD_KILLS"] ?? 10);

const phases = ["start", "authenticate", "roam", "reload", "stop"] as const;

/** Milliseconds from the beginning of each that may pass before the kill; a start takes seconds in a guest. */
const longest = { start: 2500, authenticate: 60, roam: 60, reload: 600, stop: 600 } as const;

const home: From = { address: "198.51.100.50", port: 41_000 };
const away: From = { address: "198.51.100.51", port: 42_000 };
const thief: From = { address: "198.51.100.52", port: 43_000 };

describe(`${kills} times kill -9`, () => {
  let topology: Topology;
  let direct: Side;
  let hub: Side;
  let server: Daemon;
  let injector: Injector;
  const prover = new Prover();
  const daemons: Daemon[] = [];
  const pingers: Pinger[] = [];
  /** The server's state by whether it has a third tunnel. */
  const references = new Map<boolean, string>();
  let third = true;
  let captured: Buffer = Buffer.alloc(0);

  const state = async (): Promise<string> => renewable(await snapshot(topology.server));
  const other = () => hub.others[0] ?? assert.fail();
  const proof = (from: From): Buffer => prover.packet(other(), from, hub.port);

  async function configure(): Promise<void> {
    const more = waitingTunnel([more1], { port: 10_009, address: "172.30.0.1/24" });
    const config = serverOf([direct, hub], third ? { more } : {});
    await server.configure({ ...config, onStop: "keep" });
  }
  const more1 = { ...party(9), inner: "172.30.0.2" };

  /** The third peer is where it was in the reference. */
  async function comesHome(): Promise<void> {
    const wanted = references.get(third) ?? assert.fail();
    let last = "";
    await eventually(
      async () => {
        last = await state();
        if (last !== wanted) await injector.send(proof(home));
        return last === wanted;
      },
      { timeout: 15_000, what: "the state of a start from nothing" },
    ).catch(() => assert.equal(last, wanted));
  }

  before(async () => {
    topology = await Topology.create();
    ({ direct, hub } = await sidesOf(topology));
    injector = await Injector.start(topology.internet);
    server = await Daemon.prepare(topology.server, {});
    await configure();
    await server.start();
    daemons.push(...(await Promise.all([dial(direct), dial(hub)])));
    captured = proof(home);
    await injector.send(captured);
    await server.logs(/client1: authenticated/);
    await eventually(async () => (await server.host.run("ip", "nexthop")).includes(home.address));
    references.set(true, await state());
    third = false;
    await configure();
    assert.equal((await server.cli("reload")).code, 0);
    references.set(false, await state());
    for (const { client, serverInner } of [direct, hub]) {
      const pinger = new Pinger(client, serverInner);
      await pinger.moreReplies(3);
      pingers.push(pinger);
    }
  });
  after(async () => {
    await injector.stop();
    for (const daemon of [...daemons, server]) await daemon.remove();
    await topology.remove();
  });

  for (let i = 0; i < kills; i++) {
    const phase = phases[i % phases.length] ?? assert.fail();
    const moment = randomInt(longest[phase]);
    it(`number ${i + 1}: ${phase}, ${moment} ms`, async () => {
      switch (phase) {
        case "start":
          await server.kill();
          server.launch();
          break;
        case "authenticate":
          await injector.send(proof(home));
          break;
        case "roam":
          await injector.send(proof(away));
          break;
        case "reload":
          third = !third;
          await configure();
          server.process.child.kill("SIGHUP");
          break;
        case "stop":
          server.process.child.kill("SIGTERM");
          break;
      }
      await sleep(moment);
      await server.kill();
      await server.start();
      await comesHome();
      const from = server.log.length;
      const replayed = Buffer.from(captured);
      Buffer.from(thief.address.split(".").map(Number)).copy(replayed, 12);
      await injector.send(replayed);
      await server.logs(/refused/, { from });
      const nexthops = await server.host.run("ip", "nexthop");
      assert.ok(nexthops.includes(home.address) && !nexthops.includes(thief.address), nexthops);
    });
  }

  it("costs the tunnels that stand no packet", async () => {
    for (const pinger of pingers) {
      await pinger.moreReplies(3);
      const { lost, received } = await pinger.stop();
      assert.deepEqual(lost, [], `of ${received}`);
    }
  });
});
