/** A fleet from a store of three members: they go one by one, the leader too, and all of them, and come back. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { Etcd } from "./support/etcd.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
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

  const configuration = (number: number): Record<string, unknown> => ({
    tunnels: {
      fleet: {
        listen: "@eth0",
        address: `${inner(number)}/24`,
        directory: { store: etcd.members, auth: "none", allowedIPs: ["192.168.100.0/24"] },
      },
    },
  });

  before(async () => {
    topology = await Topology.create();
    one = topology.server;
    two = await topology.addStranger();
    etcd = await Etcd.start(await topology.addStranger());
    await etcd.put({ [key(1)]: { host: one.address }, [key(2)]: { host: two.address } });
    daemons = await Promise.all([
      Daemon.start(one, configuration(1)),
      Daemon.start(two, configuration(2)),
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

  /** As soon as the cluster takes it, it is to arrive in time. */
  async function change(entries: Parameters<Etcd["put"]>[0]): Promise<void> {
    const from = first().log.length;
    await etcd.put(entries);
    const taken = Date.now();
    await first().logs(/changed /, { from });
    const delay = Date.now() - taken;
    assert.ok(delay < mostDelay, `${delay} ms`);
  }

  it("reaches whom the store names", async () => {
    await eventually(() => one.reaches(inner(2), 1), { what: first().log.join("\n") });
    assert.ok(await two.reaches(inner(1), 5));
  });

  it("hears of a change when a member has gone, and when its leader has", async () => {
    const leader = await etcd.leader();
    const follower = (leader % 3) + 1;
    await etcd.kill(follower);
    await change({ [key(3)]: { host: "198.51.100.97" } });
    etcd.revive(follower);
    await etcd.kill(leader);
    await change({ [key(3)]: { host: "198.51.100.98" } });
    etcd.revive(leader);
    assert.deepEqual(await peers(), [inner(2), inner(3)]);
    assert.match(await one.run("ip", "nexthop"), / via 198\.51\.100\.98 /);
  });

  it("stays as it is without a store, and catches up without a flap", async () => {
    const monitor = one.start("/sbin/ip", ["monitor", "link", "route", "nexthop", "address"]);
    await one.run("ip", "link", "set", "lo", "mtu", "65000");
    await monitor.line(/ lo: .*mtu 65000/);
    let from = first().log.length;
    const seen = monitor.lines.length;
    await etcd.killAll();
    await first().logs(/failed .*none of its 3 members can be used/, { from });
    assert.ok(await one.reaches(inner(2), 5));
    from = first().log.length;
    etcd.reviveAll();
    await change({ [key(4)]: { host: "198.51.100.99" } });
    await first().logs(/recovered /, { from });
    await eventually(async () => (await one.run("ip", "route")).includes(`${inner(4)} nhid`));
    assert.ok(await one.reaches(inner(2), 5));
    await monitor.stop("SIGTERM");
    const others = monitor.lines
      .slice(seen)
      .filter((line) => !line.includes(inner(4)) && !line.includes("198.51.100.99"));
    assert.deepEqual(others, []);
    assert.equal(first().log.filter((line) => / failed /.test(line)).length, 1);
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
});
