/** The unit under a real systemd: hardened, unprivileged, and still a daemon that does its work. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
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
    systemd = await Systemd.boot(topology.server);
  });
  after(async () => {
    await client?.remove();
    await systemd?.stop();
    await topology.remove();
  });

  it("is exposed to little, as systemd reckons it", async () => {
    const file = "/usr/lib/systemd/system/ipipoud.service";
    const args = ["security", "--offline=true", "--threshold=20", "--no-pager", file];
    const { code, stdout, stderr } = await systemd.run("systemd-analyze", ...args);
    assert.equal(code, 0, stdout.split("\n").at(-2) ?? stderr);
  });

  it("starts as a user of its own, with two capabilities and no way to more", async () => {
    await configure(serverConfig([laptop]));
    await systemctl("start", "ipipoud");
    const status = (await systemd.run("cat", `/proc/${await processId()}/status`)).stdout;
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    assert.notEqual(field("Uid").split("\t")[0], "0");
    for (const set of ["CapEff", "CapPrm", "CapBnd", "CapAmb"]) {
      assert.equal(field(set), "0000000000003000", set);
    }
    assert.equal(field("NoNewPrivs"), "1");
    assert.equal(field("Seccomp"), "2");
    const { stdout } = await systemd.run("ipipoud", "status");
    assert.match(stdout, /listening: 203\.0\.113\.1:10000/);
  });

  it("carries traffic, also while it is killed and comes back by itself", async () => {
    client = await startClient(topology.client, laptop);
    const pinger = new Pinger(topology.client, serverInner);
    await pinger.moreReplies(3);
    const before = await processId();
    await systemctl("kill", "-s", "KILL", "ipipoud");
    await eventually(async () => !["0", before].includes(await processId()), { what: "a restart" });
    await eventually(async () => (await systemctl("is-active", "ipipoud")) === "active", {
      what: "an active unit",
    }).catch(() => undefined);
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
    // The reload that was refused.
    assert.ok(
      entries.some(
        ({ MESSAGE, PRIORITY }) => /^ipipoud: .*listn/.test(MESSAGE) && PRIORITY === "3",
      ),
    );
  });

  it("stays down where trying again mends nothing", async () => {
    await systemctl("stop", "ipipoud");
    assert.equal(await snapshot(topology.server), untouched);
    await assert.rejects(systemctl("start", "ipipoud"), /listn/);
    assert.equal(await systemctl("show", "--value", "-p", "NRestarts", "ipipoud"), "0");
  });
});

interface Entry {
  readonly MESSAGE: string;
  readonly PRIORITY: string;
  readonly _COMM?: string;
}
