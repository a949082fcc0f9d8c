/** A fleet from a URL: one to one with udptun, hosts that change while it runs, faults, and starts without an answer. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { HostsServer } from "./support/hosts-server.ts";
import { OldUdptun } from "./support/old-udptun.ts";
import { Topology } from "./support/topology.ts";
import { statusOf } from "./support/tunnels.ts";

describe("a fleet from a URL", () => {
  let topology: Topology;
  let folder: string;
  let one: Host;
  let old: Host;
  let web: HostsServer;
  let udptun: OldUdptun;
  let daemon: Daemon;

  const hosts = (more: Readonly<Record<string, { host: string }>> = {}): string =>
    JSON.stringify({
      nodes: {
        "192.168.100.1": { host: one.address },
        "192.168.100.2": { host: old.address },
        ...more,
      },
    });

  before(async () => {
    topology = await Topology.create();
    folder = await mkdtemp(join(tmpdir(), "ipipoud-url-"));
    one = topology.server;
    old = await topology.addStranger();
    const server = await topology.addStranger();
    web = await HostsServer.start(server, folder);
    const file = join(folder, "hosts.json");
    await writeFile(file, hosts());
    udptun = await OldUdptun.start(old, file, ["192.168.100.2/24"]);
    // Nobody answers yet.
    await web.answer("down");
    const directory = {
      url: `http://user:secret@${server.address}/hosts?key=secret`,
      interval: "1s",
    };
    daemon = await Daemon.start(
      one,
      { tunnels: { fleet: { listen: "@eth0", address: "192.168.100.1/24", directory } } },
      { environment: { NODE_EXTRA_CA_CERTS: web.another } },
    );
  });
  after(async () => {
    await udptun?.stop();
    await web?.stop();
    await daemon?.remove();
    await topology.remove();
    await rm(folder, { recursive: true });
  });

  const peers = async (): Promise<string[]> =>
    (await statusOf(daemon)).tunnels[0]?.peers.map(({ name }) => name) ?? [];
  const memory = async (): Promise<number> => {
    const status = await readFile(`/proc/${daemon.process.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  };

  it("comes up without an answer, goes on asking, and reaches who is named then", async () => {
    await daemon.logs(/failed .*connection refused; no nodes yet/);
    assert.deepEqual(await peers(), []);
    assert.match(await one.run("ip", "link", "show", "fleet"), /[<,]UP[,>]/);
    await web.answer(200, hosts());
    await daemon.logs(/changed .*2 nodes now/);
    await eventually(() => one.reaches("192.168.100.2", 1));
    assert.ok(await old.reaches("192.168.100.1", 5));
  });

  it("follows what the URL says while it runs", async () => {
    await web.answer(200, hosts({ "192.168.100.3": { host: "198.51.100.77" } }));
    await eventually(async () => (await peers()).length === 2);
    assert.match(await one.run("ip", "route", "show", "192.168.100.3"), /nhid/);
    await web.answer(200, hosts());
    await eventually(async () => (await peers()).length === 1);
    assert.doesNotMatch(await one.run("ip", "route", "show", "192.168.100.3"), /nhid/);
  });

  it("keeps what was said last through every fault, each one event", async () => {
    const faults = [
      [404, "", /it answers with status 404/],
      [302, "", /more than 10 redirects/],
      [200, "{", /not valid JSON/],
      [200, '{"nodes": {"192.168.100.2": {"host": "300.0.0.1"}}}', /node .*not an IP address/],
      [200, "GB", /more than 16 MiB/],
      [200, "drip", /no whole answer within 5 s/],
      [302, "unsigned", /its certificate is not good \(DEPTH_ZERO_SELF_SIGNED_CERT\)/],
      [302, "another", /its certificate is not good \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
      ["down", "", /connection refused/],
    ] as const;
    const start = daemon.log.length;
    const before = await memory();
    for (const [status, body, words] of faults) {
      const from = daemon.log.length;
      await web.answer(status, body);
      await daemon.logs(words, { from });
    }
    assert.deepEqual(await peers(), ["192.168.100.2"]);
    assert.ok(await one.reaches("192.168.100.2", 5));
    const failed = daemon.log.slice(start).filter((line) => / failed /.test(line));
    assert.equal(failed.length, faults.length, failed.join("\n"));
    assert.doesNotMatch(daemon.log.join("\n"), /secret/);
    const grown = (await memory()) - before;
    assert.ok(grown < 48, `${Math.round(grown)} MB more`);
  });

  it("restarts without a network as it was", async () => {
    assert.equal(await daemon.stop(), 0);
    await daemon.start();
    assert.deepEqual(await peers(), ["192.168.100.2"]);
    assert.ok(await one.reaches("192.168.100.2", 5));
    const from = daemon.log.length;
    await web.answer(200, hosts());
    await daemon.logs(/recovered/, { from });
  });
});
