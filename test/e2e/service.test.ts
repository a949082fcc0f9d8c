/** The .deb on a bare Debian under a real systemd: hardened, unprivileged, and a daemon that does its work. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { findDelivery } from "../lab/delivery.ts";
import type { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Pinger } from "./support/ping.ts";
import { snapshot } from "./support/snapshot.ts";
import { Systemd } from "./support/systemd.ts";
import { Topology } from "./support/topology.ts";
import { party, serverConfig, serverInner, startClient } from "./support/tunnels.ts";

describe("service", () => {
  const laptop = party(0);
  const other = party(1);
  let topology: Topology;
  let systemd: Systemd;
  let client: Daemon;
  let untouched: string;

  const systemctl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await systemd.run("systemctl", ...args);
    if (code !== 0)
      throw new Error(`systemctl ${args.join(" ")}: ${stdout}${stderr}${await log()}`);
    return stdout.trim();
  };
  const log = async (): Promise<string> =>
    (await systemd.run("journalctl", "--no-pager", "-u", "ipipoud", "-o", "json")).stdout;
  const entries = async (): Promise<Entry[]> =>
    (await log())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Entry);
  const processId = async (): Promise<string> =>
    await systemctl("show", "--value", "-p", "MainPID", "ipipoud");
  const configure = async (config: Record<string, unknown>): Promise<void> =>
    await systemd.write("ipipoud.yaml", JSON.stringify(config));

  before(async () => {
    topology = await Topology.create();
    untouched = await snapshot(topology.server);
    // Nothing has loaded it when the host boots; the unit must see to that.
    await eventually(() => topology.server.run("rmmod", "fou"), { what: "nobody's use of fou" });
    systemd = await Systemd.boot(topology.server, await findDelivery(), {
      "ipipou/ipipoud.yaml": JSON.stringify(serverConfig([laptop])),
      // The unit's own watchdog takes half a minute to bite.
      "systemd/system/ipipoud.service.d/test.conf": "[Service]\nWatchdogSec=5s\n",
    });
  });
  after(async () => {
    await client?.remove();
    await systemd?.stop();
    await topology.remove();
  });

  it("is active after a boot, with the module that it needs", async () => {
    assert.equal(await systemctl("is-active", "ipipoud"), "active");
    assert.match((await systemd.run("cat", "/proc/modules")).stdout, /^fou /m);
    const { stdout } = await systemd.run("ipipoud", "status");
    assert.match(stdout, /listening: 203\.0\.113\.1:10000/);
  });

  it("runs as a user of its own, with two capabilities and no way to more", async () => {
    const status = (await systemd.run("cat", `/proc/${await processId()}/status`)).stdout;
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    const user = (await systemd.run("id", "-u", "ipipoud")).stdout.trim();
    assert.deepEqual([...new Set(field("Uid").split("\t"))], [user]);
    assert.notEqual(user, "0");
    for (const set of ["CapEff", "CapPrm", "CapBnd", "CapAmb"]) {
      assert.equal(field(set), "0000000000003000", set);
    }
    assert.equal(field("NoNewPrivs"), "1");
    assert.equal(field("Seccomp"), "2");
  });

  it("lets the members of its group ask it", async () => {
    const socket = "/run/ipipoud/control.sock";
    const { stdout } = await systemd.run("stat", "-c", "%U:%G %a", socket);
    assert.equal(stdout, "ipipoud:ipipou 660\n");
    assert.doesNotMatch(await log(), /control socket/);
  });

  it("is exposed to little, as systemd reckons it", async () => {
    const args = ["security", "--threshold=20", "--no-pager", "ipipoud.service"];
    const { code, stdout, stderr } = await systemd.run("systemd-analyze", ...args);
    const figure = /Overall exposure level.*: ([\d.]+)/.exec(stdout)?.[1];
    assert.equal(code, 0, stdout.split("\n").at(-2) ?? stderr);
    assert.ok(Number(figure) <= 2, `exposure ${figure}`);
  });

  it("carries traffic, also while the watchdog bites it and it comes back by itself", async () => {
    client = await startClient(topology.client, laptop);
    const pinger = new Pinger(topology.client, serverInner);
    await pinger.moreReplies(3);
    const before = await processId();
    await systemctl("kill", "-s", "STOP", "ipipoud");
    await eventually(async () => !["0", before].includes(await processId()), { what: "a restart" });
    await eventually(async () => (await systemctl("is-active", "ipipoud")) === "active", {
      what: "an active unit",
    }).catch(() => undefined);
    // Nobody else would: it neither ended nor was restarted by hand.
    assert.equal(await systemctl("show", "--value", "-p", "NRestarts", "ipipoud"), "1");
    await pinger.moreReplies(3);
    assert.deepEqual((await pinger.stop()).lost, []);
  });

  it("reloads, and says so when the new configuration is wrong", async () => {
    await configure(serverConfig([laptop, other]));
    await systemctl("reload", "ipipoud");
    assert.match((await systemd.run("ipipoud", "status")).stdout, new RegExp(other.name));
    await configure({ tunnels: { ipipou0: { listn: "x" } } });
    await assert.rejects(systemctl("reload", "ipipoud"), /listn/);
    assert.equal(await systemctl("is-active", "ipipoud"), "active");
    assert.match((await systemd.run("ipipoud", "status")).stdout, new RegExp(other.name));
  });

  it("logs with priorities", async () => {
    const ours = (await entries()).filter(({ _COMM }) => _COMM === "node" || _COMM === "ipipoud");
    assert.ok(
      ours.some(({ MESSAGE, PRIORITY }) => /authenticated/.test(MESSAGE) && PRIORITY === "6"),
    );
  });

  it("stays down where trying again mends nothing", async () => {
    await assert.rejects(systemctl("restart", "ipipoud"), /listn/);
    assert.equal(await systemctl("show", "--value", "-p", "NRestarts", "ipipoud"), "0");
    assert.equal(await snapshot(topology.server), untouched);
  });

  it("is purged at work, and nothing of it stays but the operator's own files", async () => {
    await configure(serverConfig([laptop]));
    await systemctl("start", "ipipoud");
    const { code, stdout, stderr } = await systemd.run("dpkg", "--purge", "ipipoud");
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.equal(await snapshot(topology.server), untouched);
    assert.equal((await systemd.run("cat", "/etc/ipipou/ipipoud.yaml")).code, 0);
    assert.notEqual((await systemd.run("systemctl", "is-active", "ipipoud")).code, 0);
  });

  it("is installed again, starts 1,000 tunnels, and reloads one of them", async () => {
    const tunnels = Object.fromEntries(
      Array.from({ length: 1000 }, (_, n) => [
        `t${n}`,
        {
          listen: `203.0.113.1:${11_000 + n}`,
          address: `10.1.${n >> 8}.${n & 255}/32`,
          peers: { peer: { token: `token ${n}`, allowedIPs: [`10.2.${n >> 8}.${n & 255}/32`] } },
        },
      ]),
    );
    await configure({ tunnels });
    // With the unit's own watchdog.
    await systemd.run("rm", "-r", "/etc/systemd/system/ipipoud.service.d");
    const { code, stdout, stderr } = await systemd.run("dpkg", "-i", "/opt/given/ipipoud.deb");
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.equal(await systemctl("is-active", "ipipoud"), "active");
    const before = await links();
    assert.equal(before.filter(({ ifname }) => /^t\d+$/.test(ifname)).length, 1000);
    await configure({ tunnels: { ...tunnels, t500: { ...tunnels["t500"], mtu: 1300 } } });
    await systemctl("reload", "ipipoud");
    const changed = before.map((link) => (link.ifname === "t500" ? { ...link, mtu: 1300 } : link));
    assert.deepEqual(await links(), changed);
    const said = (await entries()).map(({ MESSAGE }) => MESSAGE);
    assert.deepEqual(
      said.filter((line) => line.startsWith("reloaded")).at(-1),
      'reloaded reason="1 change"',
    );
  });

  /** What each is, as another tool tells it. */
  const links = async (): Promise<Link[]> => {
    const all = JSON.parse(await topology.server.run("ip", "-j", "link", "show")) as Link[];
    return all.map(({ ifname, ifindex, mtu, ifalias }) => ({ ifname, ifindex, mtu, ifalias }));
  };
});

interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly mtu: number;
  readonly ifalias: string | undefined;
}

interface Entry {
  readonly MESSAGE: string;
  readonly PRIORITY: string;
  readonly _COMM?: string;
}
