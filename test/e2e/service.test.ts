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
    const entries = (await log())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Entry);
    const ours = entries.filter(({ _COMM }) => _COMM === "node" || _COMM === "ipipoud");
    assert.ok(
      ours.some(({ MESSAGE, PRIORITY }) => /authenticated/.test(MESSAGE) && PRIORITY === "6"),
    );
  });

  it("stays down where trying again mends nothing", async () => {
    await assert.rejects(systemctl("restart", "ipipoud"), /listn/);
    assert.equal(await systemctl("show", "--value", "-p", "NRestarts", "ipipoud"), "0");
    assert.equal(await snapshot(topology.server), untouched);
  });
});

interface Entry {
  readonly MESSAGE: string;
  readonly PRIORITY: string;
  readonly _COMM?: string;
}
