/**
 * Files of ipipou 0.1 for two hosts, imported and started as they come out: they tunnel to each other
 * through the NAT.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon, mainFile } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { newKeyPair } from "./support/keys.ts";
import { Topology } from "./support/topology.ts";
import { peerOf, statusOf } from "./support/tunnels.ts";

describe("import", () => {
  let topology: Topology;
  let folder: string;
  let server: Daemon;
  let client: Daemon;
  const keys = newKeyPair();
  // No secret: the old default, known to both.
  const files = {
    "server3.conf": `# the server
server
number 3
fou-dev eth0
auth-remote-pubkey-b64 ${keys.publicKey}
auth-lifetime 3600
reply-on-auth-ok
verb 2
`,
    "server4.conf": `server
number 4
fou-local 203.0.113.1@eth0
# said, not signed
auth-token hello from the cellar
verb 2
`,
    "client3.conf": `client
number 3
fou-local @eth0
fou-remote 203.0.113.1:10003
tunl-ip 172.28.0.7
auth-key-b64 ${keys.privateKey}
keepalive 27
verb 2
`,
  };

  before(async () => {
    topology = await Topology.create();
    folder = await mkdtemp(join(tmpdir(), "ipipoud-import-"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    server = await Daemon.start(topology.server, await imported("server3.conf", "server4.conf"));
    client = await Daemon.start(topology.client, await imported("client3.conf"));
  });
  after(async () => {
    await client?.remove();
    await server?.remove();
    await rm(folder, { recursive: true });
    await topology.remove();
  });

  async function imported(...names: string[]): Promise<string> {
    const paths = names.map((name) => join(folder, name));
    return await topology.server.run(process.execPath, mainFile, "import", ...paths);
  }

  it("an imported server and an imported client tunnel to each other through a NAT", async () => {
    await eventually(() => topology.client.reaches("172.28.0.6", 1), {
      what: `a ping; the server's log:\n${server.log.join("\n")}\nthe client's:\n${client.log.join("\n")}`,
    });
    assert.ok(await topology.server.reaches("172.28.0.7"));
    const peer = peerOf(await statusOf(server), "client", "ipipou3");
    assert.equal(peer.state, "authenticated");
    assert.match(peer.endpoint ?? "", new RegExp(`^${topology.nat.publicAddress}:`));
    const links = JSON.parse(await topology.server.run("ip", "-j", "addr", "show", "ipipou3"));
    assert.equal(links[0].addr_info[0].local, "172.28.0.6");
    assert.equal(links[0].addr_info[0].address, "172.28.0.7");
  });

  it("takes any inner source, as ipipou 0.1 did, and still none from elsewhere", async () => {
    const { client: host, server: far } = topology;
    await host.run("ip", "addr", "add", "10.77.0.1/32", "dev", "lo");
    await far.run("ip", "route", "add", "10.77.0.1/32", "dev", "ipipou3");
    assert.ok(await far.reaches("10.77.0.1"));
    const inside = await Capture.start(far, "icmp", { device: "ipipou4" });
    assert.ok(await host.reaches("172.28.0.6"));
    assert.deepEqual(await inside.stop(), []);
  });

  it("a client of the command line proves itself by a token to the second tunnel", async () => {
    const stranger = await topology.addStranger();
    const args = "-c -n 4 -b @eth0 -r 203.0.113.1:10004 --tunl-ip 172.28.0.9 --auth-token".split(
      " ",
    );
    const yaml = await stranger.run(
      process.execPath,
      mainFile,
      "import",
      "--",
      ...args,
      "hello from the cellar",
      "-vv",
    );
    const third = await Daemon.start(stranger, yaml);
    try {
      await eventually(() => stranger.reaches("172.28.0.8", 1), {
        what: `a ping; the client's log:\n${third.log.join("\n")}`,
      });
    } finally {
      await third.remove();
    }
  });
});
