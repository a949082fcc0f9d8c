/**
 * A fleet from a store of three members: they go one by one, the leader too, and all of them, and come back. One
 * node asks by TLS and with a certificate, and two are behind NAT routers.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Counted, counting } from "./support/counted.ts";
import { Daemon } from "./support/daemon.ts";
import { Etcd } from "./support/etcd.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import type { Program } from "./support/program.ts";
import { Topology } from "./support/topology.ts";
import { statusOf } from "./support/tunnels.ts";

const inner = (number: number): string => `192.168.100.${number}`;
const key = (number: number): string => `/ipipoud/fleet/${inner(number)}`;
/** Milliseconds from the moment when the cluster takes a change again until a daemon has it. */
const mostDelay = 2000;
/** IPIPOUD_HIDDEN=1: what two behind NAT routers write and read of each other takes half a minute in a guest. */
const withHidden = process.env["IPIPOUD_HIDDEN"] === "1";
const loopback = / lo: /;
/** IPIPOUD_NODES=10000 has more; that wants a guest with 3 GB. */
const many = Number(process.env["IPIPOUD_NODES"] ?? 250);
/** Of one transaction of etcd. */
const mostOperations = 128;

describe("a fleet from a store", () => {
  let topology: Topology;
  let etcd: Etcd;
  let one: Host;
  let two: Host;
  let daemons: Daemon[] = [];
  /** Of the first two, and of two behind NAT routers. */
  const keys = new Map([1, 2, 8, 9].map((number) => [number, newKeyPair()]));
  const publicKey = (number: number): string | undefined => keys.get(number)?.publicKey;

  /** @param over Of the directory. */
  const configuration = (
    number: number,
    over: Record<string, unknown> = {},
  ): Record<string, unknown> => ({
    tunnels: {
      fleet: {
        listen: "@eth0",
        address: `${inner(number)}/24`,
        privateKey: keys.get(number)?.privateKey,
        directory: {
          ...{ store: etcd.members, auth: "none", allowedIPs: ["192.168.100.0/24", "10.7.0.0/16"] },
          ...(number === 2 && { store: etcd.secureMembers, caFile: etcd.files.member, ...shown() }),
          ...(number >= 8 && { publish: "seen", lease: number === 8 ? "6s" : "15s" }),
          ...(number === 1 && { report: true, lease: "10s" }),
          ...over,
        },
      },
    },
  });

  const shown = (): Record<string, string> => ({
    certFile: etcd.files.node,
    keyFile: etcd.files.nodeKey,
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
      Daemon.start(one, configuration(1), { environment: counting }),
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

  /** What changes in the first one's kernel from now on: `lo`, too. */
  async function listening(...objects: string[]): Promise<Program> {
    const monitor = one.start("ip", ["-o", "monitor", ...objects]);
    let mtu = 65_000;
    // It takes a moment until it hears anything.
    await eventually(async () => {
      await one.run("ip", "link", "set", "lo", "mtu", String(mtu++));
      return monitor.lines.some((line) => loopback.test(line));
    });
    return monitor;
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
    const forged = { [key(9)]: { publicKey: newKeyPair().publicKey } };
    const refused = /refused .*198\.51\.100\.2:.*wrong key/;
    // It writes itself anew when it is not seen any more, which may be before it is asked.
    await eventually(
      async () => {
        await etcd.put(forged);
        daemons[2]?.process.child.kill("SIGUSR1");
        return first()
          .log.slice(from)
          .some((line) => refused.test(line));
      },
      { interval: 1000, timeout: 60_000 },
    );
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
    const monitor = await listening("link", "route", "nexthop", "address");
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
      .filter((line) => !loopback.test(line));
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

  const joins = async (): Promise<void> => {
    const nat = await topology.addNat();
    const hidden = await topology.addClient(nat);
    const daemon = await Daemon.start(hidden, configuration(8));
    daemons.push(daemon);
    const seen = /"seen":true/;
    await eventually(async () => seen.test(JSON.stringify(await etcd.get(key(8)))), {
      timeout: 60_000,
    });
    // Either's proof opens its own router; the next one would go out at most a keepalive later.
    await eventually(
      async () => {
        for (const one of [daemon, daemons[2]]) one?.process.child.kill("SIGUSR1");
        return await hidden.reaches(inner(9), 1);
      },
      { interval: 1000, timeout: 60_000, what: daemon.log.join("\n") },
    );
    // Not by way of the hub, which forwards nothing.
    assert.ok(await topology.client.reaches(inner(8), 5));
    await daemon.logs(new RegExp(`100\\.9: authenticated endpoint=${topology.nat.address}:`));
    await daemons[2]?.logs(new RegExp(`100\\.8: authenticated endpoint=${nat.address}:`));
  };
  if (withHidden)
    it(
      "joins two that are both behind NAT routers, each of which learns from it where the other was seen",
      joins,
    );

  it("says which certificate is not good, its members' or its own, and stays as it is", async () => {
    const daemon = daemons[1] ?? assert.fail();
    const begun = daemon.log.length;
    const reload = async (over: Record<string, unknown>, words: RegExp): Promise<void> => {
      const from = daemon.log.length;
      await daemon.configure(configuration(2, over));
      daemon.process.child.kill("SIGHUP");
      await daemon.logs(words, { from });
      assert.ok(await two.reaches(inner(1), 5));
    };
    const none = { certFile: undefined, keyFile: undefined };
    await reload(
      { caFile: etcd.files.node },
      /failed .*its certificate is not good .*nobody whom we trust has signed it, caFile says whom/,
    );
    await reload(none, /failed .*it wants a certificate of ours .* certFile and keyFile show it/);
    await reload({}, /recovered /);
    const failed = daemon.log.slice(begun).filter((line) => /failed .*certificate/.test(line));
    assert.equal(failed.length, 2, failed.join("\n"));
    const from = daemon.log.length;
    await etcd.put({ [key(7)]: { host: "198.51.100.96" } });
    await daemon.logs(/changed .*1 came/, { from });
  });

  it("lets a node go that has died, when its lease ends", async () => {
    const from = first().log.length;
    await daemons[2]?.kill();
    await first().logs(/changed .*1 went/, { from });
    assert.ok(!(await peers()).includes(inner(9)));
  });

  it("of hundreds of nodes, one of which changes, changes what that one has", async (t) => {
    // Whoever else reads it has nothing to do with this.
    for (const daemon of daemons.slice(1)) await daemon.stop();
    const entries = Array.from({ length: many }, (_, i): [string, { host: string }] => [
      `/ipipoud/fleet/10.7.${i >> 8}.${i & 255}`,
      { host: `198.18.${i >> 8}.${i & 255}` },
    ]);
    const begun = performance.now();
    for (let i = 0; i < many; i += mostOperations)
      await etcd.put(Object.fromEntries(entries.slice(i, i + mostOperations)));
    const routes = async (): Promise<number> =>
      (await one.run("ip", "-o", "route", "show")).match(/^10\.7\.\S+ nhid/gm)?.length ?? 0;
    const patience = { timeout: 60_000 + 30 * many, interval: Math.max(50, many / 5) };
    await eventually(async () => (await routes()) === many, {
      ...{ what: `${many} routes`, ...patience },
    });
    const loaded = performance.now();
    const counted = new Counted(first().process);
    const before = await counted.messages();
    const changes = await listening("link", "route", "nexthop");
    await change({ "/ipipoud/fleet/10.7.0.7": { host: "198.18.255.255" } });
    await eventually(() => changes.lines.some((line) => line.includes("198.18.255.255")), {
      what: "the nexthop",
    });
    const changed = performance.now();
    const known = () => one.run("nft", "list", "set", "ip", "ipipou", "nodes-fleet");
    await eventually(async () => (await known()).includes("198.18.255.255"), patience);
    await changes.stop("SIGINT");
    const messages = (await counted.messages()) - before;
    t.diagnostic(
      `${many} nodes in ${Math.round(loaded - begun)} ms; one changed in ${Math.round(changed - loaded)} ms ` +
        `with ${messages} messages`,
    );
    // Looking takes one for each kind of object, writing three for a nexthop and its elements.
    assert.ok(messages < 30, `${messages} messages`);
    const others = changes.lines
      .filter((line) => !line.includes("198.18.255.255"))
      .filter((line) => !loopback.test(line));
    assert.deepEqual(others, []);
  });
});
