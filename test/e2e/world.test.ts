/**
 * The world around a dialled tunnel changes: addresses, devices, names, what a NAT remembers, the time. The
 * keepalive is an hour, so whatever is sent is sent because of that.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { WallClock } from "./support/clock.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Names } from "./support/names.ts";
import { isAuthentication, type OuterPacket, outerPackets } from "./support/outer.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";
import {
  dialledTunnel,
  openQueue,
  party,
  peerOf,
  port,
  serverInner,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

const name = "hub.test";
const one = party();

/** Seconds between two pings of those that measure an interruption. */
const interval = 0.2;
/** Seconds within which traffic is to be back where only its absence tells that something is wrong. */
const promised = 6;

function dialling(peer: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const tunnel = dialledTunnel(one, { server: `${name}:${port}`, keepalive: "1h" });
  const { server } = tunnel["peers"] as { server: Record<string, unknown> };
  const peers = { server: { ...server, resolveInterval: "1h", ...peer } };
  return { tunnels: { ipipou0: { ...tunnel, listen: ":5000@eth0", peers } } };
}

describe("the world changes", () => {
  let topology: Topology;
  let server: Daemon;
  let client: Daemon;
  let names: Names;
  let clock: WallClock;
  before(async () => {
    [topology, clock] = await Promise.all([Topology.create(), WallClock.create()]);
    names = await Names.of(topology.client, { [name]: topology.server.address });
    const waiting = { ...waitingTunnel([one]), listen: `:${port}@eth0` };
    const environment = clock.environment;
    [server, client] = await Promise.all([
      Daemon.start(topology.server, { queue: openQueue, tunnels: { ipipou0: waiting } }),
      Daemon.start(topology.client, dialling(), { environment }),
    ]);
    await connected();
  });
  after(async () => {
    for (const daemon of [client, server]) await daemon.remove();
    await names.remove();
    await clock.remove();
    await topology.remove();
  });

  /** Traffic passes, and the client has seen that: nothing is due by itself any more. */
  async function connected(): Promise<void> {
    const what = () => `a ping; ${[...client.log, ...server.log].join("\n")}`;
    await eventually(() => topology.client.reaches(serverInner, 1)).catch((error) => {
      throw new Error(what(), { cause: error });
    });
    await eventually(
      async () => peerOf(await statusOf(client), "server").state === "authenticated",
    );
  }

  async function again(peer: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await client.stop();
    await client.configure(dialling(peer));
    await client.start();
    await connected();
  }

  /** What the client's host sends to the server's port. */
  const watch = () => Capture.start(topology.client, `udp dst port ${port}`);
  const proofs = (lines: readonly string[]): OuterPacket[] =>
    outerPackets(lines).filter(isAuthentication);

  /** Of a change that came in a burst with others word goes out a second later: that is over. */
  async function calm(wire: Capture): Promise<void> {
    const start = Date.now() / 1000;
    await eventually(() => {
      const last = wire.packets.findLast((line) => proofs([line]).length > 0);
      return Date.now() / 1000 - Math.max(start, Number(last?.split(" ", 1)[0] ?? 0)) > 1.5;
    });
  }

  /** Pings while something happens, and gives for how many seconds none came back. */
  async function interruption(change: () => Promise<unknown>): Promise<number> {
    const pinger = new Pinger(topology.client, serverInner, { interval });
    await pinger.moreReplies(5);
    await change();
    // What was under way.
    const first = pinger.sequences.length;
    await eventually(() => pinger.sequences.length > first + 3, { interval: 20 });
    const { lost } = await pinger.stop();
    assert.ok(lost.length > 0, "nothing was interrupted");
    return lost.length * interval;
  }

  async function moveServer(address: string): Promise<void> {
    await topology.server.sh(`
      ip addr flush dev eth0
      ip addr add ${address}/24 dev eth0
      ip route add default via 203.0.113.254`);
  }

  it("the server moves and its name says so: traffic again at once on failure", async () => {
    const seconds = await interruption(async () => {
      await names.set({ [name]: "203.0.113.2" });
      await moveServer("203.0.113.2");
    });
    assert.ok(seconds <= promised, `${seconds} s`);
  });

  it("an address on @device changes: authenticated again within 1 s of it", async () => {
    const wire = await watch();
    const pinger = new Pinger(topology.client, serverInner, { interval });
    await pinger.moreReplies(2);
    await topology.client.sh("ip addr flush dev eth0");
    const time = await topology.client.sh(`
      ip addr add 192.0.2.77/24 dev eth0
      date +%s.%N
      ip route add default via 192.0.2.1`);
    await pinger.moreReplies(2);
    const lines = await wire.stop();
    const first = lines.find((line) => proofs([line]).length > 0 && line.includes("192.0.2.77."));
    const seconds = Number(first?.split(" ", 1)[0]) - Number(time);
    assert.ok(seconds < 1, `${seconds} s; ${lines.slice(-10).join("\n")}`);
    await pinger.stop();
  });

  it("a device vanishes and comes again: everything is bound to the new one", async () => {
    const { client: host, nat } = topology;
    const from = client.log.length;
    const bound = async () => {
      const [link] = JSON.parse(await host.run("ip", "-d", "-j", "link", "show", "ipipou0")) as {
        link: string | null;
      }[];
      return [link?.link ?? null, await host.run("ip", "fou", "show")];
    };
    assert.match(String(await bound()), /^eth0,port 5000 .*dev eth0/);
    await nat.run("ip", "link", "del", "client");
    await eventually(async () => String(await bound()) === ",", { what: "nothing bound" });
    const back = await nat.run(
      ...["ip", "link", "add", "name", "client", "type", "veth"],
      ...["peer", "name", "eth0", "netns", host.namespace],
    );
    assert.equal(back, "");
    await nat.run("ip", "link", "set", "client", "master", "lan", "up");
    await host.sh(`
      ip addr add 192.0.2.77/24 dev eth0
      ip link set eth0 up
      ip route add default via 192.0.2.1`);
    await connected();
    assert.match(String(await bound()), /^eth0,port 5000 .*dev eth0/);
    const failures = client.log.slice(from).filter((line) => /failed/.test(line));
    assert.deepEqual(failures, []);
  });

  it("reauth and SIGUSR1: one authentication each, at once", async () => {
    const wire = await watch();
    await calm(wire);
    const before = proofs(wire.packets).length;
    const { code, stderr } = await client.cli("reauth", "ipipou0/server");
    assert.equal(code, 0, stderr);
    await eventually(() => proofs(wire.packets).length === before + 1);
    client.process.child.kill("SIGUSR1");
    await eventually(() => proofs(wire.packets).length === before + 2);
    const { code: wrong, stderr: words } = await client.cli("reauth", "ipipou0/nobody");
    assert.deepEqual([wrong, words.includes("ipipou0/nobody")], [2, true], words);
    assert.equal(proofs(await wire.stop()).length, before + 2);
  });

  it("a NAT forgets the mapping while traffic flows: traffic again within 6 s", async () => {
    await again();
    const wire = await watch();
    const seconds = await interruption(() => topology.nat.changeMapping());
    assert.ok(seconds <= promised, `${seconds} s`);
    // One is enough; on a busy machine its answer may be noticed after the second.
    assert.ok(proofs(await wire.stop()).length <= 2);
  });

  it("nobody sends, the NAT forgets, and the monitor notices", async () => {
    await again({ monitor: { ping: serverInner, interval: "1s", failures: 2 } });
    await topology.nat.changeMapping();
    await client.logs(/has not answered 2 pings/);
    await eventually(() => topology.server.reaches(one.inner, 1));
  });

  it("nobody sends, the server moves: found within the resolve interval", async () => {
    await again({ resolveInterval: "2s" });
    const wire = await watch();
    await names.set({ [name]: "203.0.113.3" });
    const time = Number(await topology.client.sh("date +%s.%N"));
    await moveServer("203.0.113.3");
    const line = await wire.packet(/> 203\.0\.113\.3\./);
    assert.ok(Number(line.split(" ", 1)[0]) - time < 3, line);
    await eventually(() => topology.server.reaches(one.inner, 1));
    await wire.stop();
  });

  it("the clock jumps, as after a night's sleep, and is set back: authenticated at once, and believed", async () => {
    const { accepted, refused } = (await statusOf(server)).queue;
    for (const [i, ahead] of [100, 0].entries()) {
      await clock.set(ahead);
      await eventually(async () => (await statusOf(server)).queue.accepted === accepted + i + 1);
    }
    assert.equal((await statusOf(server)).queue.refused, refused);
  });
});
