/** A fleet from a store of three members: they go one by one, the leader too, and all of them, and come back. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { Etcd } from "./support/etcd.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import { Topology } from "./support/topology.ts";
import { statusOf } from "./support/tunnels.ts";

const inner = (number: number): string => `192.168.100.${number}`;
const key = (number: number): string => `/ipipoud/fleet/${inner(number)}`;
/** Milliseconds from the moment when the cluster takes a change again until a daemon has it. */
const mostDelay = 2000;

describe("a fleet from a store", () => {
  let topology: Topology;
  let etcd: Etcd;
  let one: Host;
  let two: Host;
  let daemons: Daemon[] = [];
  /** Of the first two, and of one behind a NAT router. */
  const keys = new Map([1, 2, 9].map((number) => [number, newKeyPair()]));
  const publicKey = (number: number): string | undefined => keys.get(number)?.publicKey;

  const configuration = (number: number): Record<string, unknown> => ({
    tunnels: {
      fleet: {
        listen: "@eth0",
        address: `${inner(number)}/24`,
        privateKey: keys.get(number)?.privateKey,
        directory: {
          ...{ store: etcd.members, auth: "none", allowedIPs: ["192.168.100.0/24"] },
          ...(number === 9 && { publish: "seen", lease: "15s" }),
          ...(number === 1 && { report: true, lease: "10s" }),
        },
      },
    },
  });

  before(async () => {
    topology = await Topology.create();
    one = topology.server;
    two = await topology.addStranger();
    etcd = await Etcd.start(await topology.addStranger());
    await etcd.put({
      [key(1)]: { host: one.address, publicKey: publicKey(1) },
      [key(2)]: { host: two.address, publicKey: publicKey(2) },
    });
    daemons = await Promise.all([
      Daemon.start(one, configuration(1)),
      Daemon.start(two, configuration(2)),
      Daemon.start(topology.client, configuration(9)),
    ]);
  });
  after(async () => {
    for (const daemon of daemons) await daemon.remove();
    await etcd?.stop();
    await topology.remove();
  });

  const first = (): Daemon => {
    const [daemon] = daemons;
    assert.ok(daemon);
    return daemon;
  };

  const peers = async (): Promise<string[]> =>
    (await statusOf(first())).tunnels[0]?.peers.map(({ name }) => name) ?? [];

  /** As soon as the cluster takes it, it is to arrive in time; in the kernel as soon as an emulated CPU can. */
  async function change(entries: Parameters<Etcd["put"]>[0], nexthop?: string): Promise<void> {
    const from = first().log.length;
    await etcd.put(entries);
    const taken = Date.now();
    await first().logs(/changed /, { from });
    const delay = Date.now() - taken;
    assert.ok(delay < mostDelay, `${delay} ms`);
    if (nexthop === undefined) return;
    await eventually(async () => (await one.run("ip", "nexthop")).includes(` via ${nexthop} `));
  }

  it("reaches whom the store names, once they have proven themselves by their keys", async () => {
    // The lower one of two that can be reached dials.
    await daemons[1]?.logs(/192\.168\.100\.1: authenticated/);
    await eventually(() => one.reaches(inner(2), 1), { what: first().log.join("\n") });
    assert.ok(await two.reaches(inner(1), 5));
    // Nobody can reach this one, which has told the store its key.
    await first().logs(/192\.168\.100\.9: authenticated endpoint=198\.51\.100\.2:/);
    for (const number of [1, 2]) {
      await eventually(() => topology.client.reaches(inner(number), 1));
    }
    assert.ok(await two.reaches(inner(9), 5));
  });

  it("has of each node what it said, and where its hub saw it", async () => {
    const [, port] =
      /100\.9: authenticated endpoint=198\.51\.100\.2:(\d+)/.exec(first().log.join("\n")) ?? [];
    const seen = { host: "198.51.100.2", port: Number(port) };
    await eventually(async () => {
      const node = await etcd.get(key(9));
      assert.deepEqual(node, { ...seen, publicKey: publicKey(9), seen: true });
      return true;
    });
  });

  it("takes nobody's word for another's key", async () => {
    let from = first().log.length;
    await change({ [key(9)]: { publicKey: newKeyPair().publicKey } });
    await eventually(async () => !(await topology.client.reaches(inner(1), 1)));
    daemons[2]?.process.child.kill("SIGUSR1");
    await first().logs(/refused .*198\.51\.100\.2:.*wrong key/, { from });
    from = first().log.length;
    // It writes itself anew.
    daemons[2]?.process.child.kill("SIGHUP");
    await first().logs(/192\.168\.100\.9: authenticated/, { from });
  });

  it("hears of a change when a member has gone, and when its leader has", async () => {
    const leader = await etcd.leader();
    const follower = (leader % 3) + 1;
    await etcd.kill(follower);
    await change({ [key(3)]: { host: "198.51.100.97" } }, "198.51.100.97");
    etcd.revive(follower);
    await etcd.kill(leader);
    await change({ [key(3)]: { host: "198.51.100.98" } }, "198.51.100.98");
    etcd.revive(leader);
    assert.deepEqual((await peers()).sort(), [inner(2), inner(3), inner(9)]);
  });

  it("stays as it is without a store, and catches up without a flap", async () => {
    await eventually(() => one.reaches(inner(9), 1));
    const monitor = one.start("/sbin/ip", ["monitor", "link", "route", "nexthop", "address"]);
    let mtu = 65_000;
    // It takes a moment until it hears anything.
    await eventually(async () => {
      await one.run("ip", "link", "set", "lo", "mtu", String(mtu++));
      return monitor.lines.some((line) => / lo: /.test(line));
    });
    let from = first().log.length;
    const seen = monitor.lines.length;
    await etcd.killAll();
    await first().logs(/failed .*none of its 3 members can be used/, { from });
    for (const number of [2, 9]) {
      const ping = await one.try("ping", "-nc1", "-W5", inner(number));
      assert.equal(ping.code, 0, ping.stdout + ping.stderr + first().log.join("\n"));
    }
    from = first().log.length;
    etcd.reviveAll();
    await change({ [key(4)]: { host: "198.51.100.99" } }, "198.51.100.99");
    await first().logs(/recovered /, { from });
    await eventually(async () => (await one.run("ip", "route")).includes(`${inner(4)} nhid`));
    assert.ok(await one.reaches(inner(2), 5));
    await monitor.stop("SIGTERM");
    const others = monitor.lines
      .slice(seen)
      .filter((line) => !line.includes(inner(4)) && !line.includes("198.51.100.99"))
      .filter((line) => !/ lo: |link\/loopback/.test(line));
    assert.deepEqual(others, []);
    const failed = first().log.filter((line) => / failed .*none of its 3 members/.test(line));
    assert.equal(failed.length, 1, failed.join("\n"));
  });

  it("refuses an entry that claims another's inner address, and one that makes no sense", async () => {
    const routes = await one.run("ip", "route");
    const from = first().log.length;
    await etcd.put({
      [key(5)]: { host: "198.51.100.66", allowedIPs: [inner(2)] },
      "/ipipoud/fleet/10.9.9.9": { host: "198.51.100.66" },
      [key(6)]: "{",
    });
    const words = [
      /left out of the directory: node 192\.168\.100\.5: it claims 192\.168\.100\.2, which is that of node 192\.168\.100\.2/,
      /node 10\.9\.9\.9: 10\.9\.9\.9 is outside the allowedIPs of the directory/,
      /node 192\.168\.100\.6: not valid JSON/,
    ];
    for (const pattern of words) await first().logs(pattern, { from });
    await change({ [key(4)]: undefined });
    const left = routes.split("\n").filter((line) => !line.includes(inner(4)));
    await eventually(async () => (await one.run("ip", "route")) === left.join("\n"));
    assert.ok(await one.reaches(inner(2), 5));
  });

  it("lets a node go that has died, when its lease ends", async () => {
    const from = first().log.length;
    await daemons[2]?.kill();
    await first().logs(/changed .*1 went/, { from });
    assert.ok(!(await peers()).includes(inner(9)));
  });
});
