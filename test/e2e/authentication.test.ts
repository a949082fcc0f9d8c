/** Who gets in, who does not, and what is said about it: judged by ping, tcpdump and ip. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { type Config, Daemon, type DaemonOptions } from "./support/daemon.ts";
import { tcpEcho } from "./support/echo.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import {
  clientConfig,
  inner,
  newCredentials,
  serverConfig,
  statusOf,
  tunnel,
} from "./support/pair.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";

/** A proof of protocol 1, as tcpdump shows it arriving from the NAT router. */
const proof = /IP 198\.51\.100\.2\.\d+ > 203\.0\.113\.1\.10000: UDP, length 73$/;
const fromServer = /IP 203\.0\.113\.1\.10000 > /;

describe("authentication", () => {
  let topology: Topology;
  const daemons: Daemon[] = [];
  before(async () => {
    topology = await Topology.create();
  });
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.remove();
  });
  after(async () => {
    await topology.remove();
  });

  const start = async (host: Host, config: Config, options?: DaemonOptions): Promise<Daemon> => {
    const daemon = await Daemon.prepare(host, config, options);
    daemons.push(daemon);
    await daemon.start();
    return daemon;
  };

  it("lets a client with key and secret in, through a NAT: ping and TCP both ways", async () => {
    const { client, server, nat } = topology;
    const { privateKey, publicKey, secret } = newCredentials();
    const outside = await Capture.start(server, "udp port 10000 or ip proto 4");
    const serverDaemon = await start(
      server,
      `
tunnels:
  ${tunnel}:
    listen: "203.0.113.1:10000"
    address: ${inner.server}/24
    peers:
      laptop: { publicKey: ${publicKey}, secretFile: laptop.secret, allowedIPs: [${inner.client}/32] }`,
      { files: { "laptop.secret": `${secret}\n` }, args: ["-v"] },
    );
    const clientDaemon = await start(
      client,
      `
tunnels:
  ${tunnel}:
    address: ${inner.client}/24
    privateKeyFile: laptop.key
    peers:
      server:
        endpoint: "203.0.113.1:10000"
        secretFile: laptop.secret
        allowedIPs: [172.28.0.0/24]
        keepalive: 27s`,
      { files: { "laptop.key": `${privateKey}\n`, "laptop.secret": secret }, args: ["-v"] },
    );

    await eventually(() => client.reaches(inner.server));
    assert.ok(await server.reaches(inner.client));
    await tcpEcho(client, server, inner.server);
    await tcpEcho(server, client, inner.client);

    // The endpoint is what the NAT made of it, in the packets, in the kernel and in `status`.
    const lines = await outside.stop();
    const port = /198\.51\.100\.2\.(\d+) > 203\.0\.113\.1\.10000/.exec(lines.join("\n"))?.[1];
    assert.ok(Number(port) >= nat.port, lines[0]);
    for (const line of lines) {
      assert.match(
        line,
        new RegExp(` (203\\.0\\.113\\.1\\.10000|198\\.51\\.100\\.2\\.${port})[: ]`),
      );
      assert.match(line, /: UDP, length \d+$/);
    }
    assert.ok(
      lines.some((line) => proof.test(line)),
      lines[0],
    );
    const links = JSON.parse(await server.run("ip", "-d", "-j", "link", "show", tunnel));
    assert.equal(links[0].linkinfo.info_data.remote, nat.publicAddress);
    const [peer] = (await statusOf(serverDaemon)).tunnels[0]?.peers ?? [];
    assert.equal(peer?.state, "authenticated");
    assert.equal(peer?.endpoint, `${nat.publicAddress}:${port}`);

    const said: string[] = [];
    for (const args of [["status"], ["--check", "--json"]]) {
      const { code, stdout, stderr } = await serverDaemon.cli(...args, "-v");
      assert.equal(code, 0, stderr);
      said.push(stdout, stderr);
    }
    assert.match(said[0] ?? "", /state: authenticated/);
    for (const daemon of [serverDaemon, clientDaemon]) {
      said.push(JSON.stringify(await statusOf(daemon)));
      assert.equal(await daemon.stop(), 0);
      said.push(...daemon.log);
    }
    assert.equal(serverDaemon.log.filter((line) => /authenticated/.test(line)).length, 1);
    for (const hidden of [secret, privateKey]) {
      const forms = [
        hidden,
        Buffer.from(hidden).toString("base64"),
        Buffer.from(hidden).toString("hex"),
      ];
      for (const form of forms) assert.ok(!said.join("\n").includes(form), "a secret was told");
    }
  });

  const right = newCredentials();
  const wrong = {
    key: { ...right, ...newKeyPair() },
    secret: { ...right, secret: newCredentials().secret },
  };
  for (const [what, credentials] of Object.entries(wrong)) {
    it(`lets nothing through for a wrong ${what}, and says so once`, async () => {
      const { client, server } = topology;
      const serverDaemon = await start(server, serverConfig(right));
      const outside = await Capture.start(server, "udp port 10000 or ip proto 4");
      const inside = await Capture.start(server, `src host ${inner.client}`, { device: tunnel });
      const clientDaemon = await start(client, clientConfig(credentials));
      const refused = await serverDaemon.logs(/refused/);
      assert.match(refused, /wrong key or wrong secret/);
      assert.match(refused, /endpoint=198\.51\.100\.2:\d+/);

      // It tries again and again, with traffic all the while.
      const pinger = new Pinger(client, inner.server);
      const proofs = () => outside.packets.filter((line) => proof.test(line)).length;
      for (let wanted = proofs() + 1; wanted < 8; wanted = proofs() + 1) {
        clientDaemon.process.child.kill("SIGUSR1");
        await eventually(() => proofs() >= wanted);
      }
      await eventually(async () => (await statusOf(serverDaemon)).queue.refused >= 5);
      assert.ok(!(await server.reaches(inner.client, 1)));
      const data = (line: string) => /> 203\.0\.113\.1\.10000: UDP, length 84$/.test(line);
      await eventually(() => outside.packets.filter(data).length >= 5, { what: "data arriving" });
      const { received } = await pinger.stop({ settle: false });
      assert.equal(received, 0);
      assert.deepEqual(await inside.stop(), []);
      assert.deepEqual(
        (await outside.stop()).filter((line) => fromServer.test(line)),
        [],
      );

      const refusals = () => serverDaemon.log.filter((line) => /refused/.test(line));
      assert.deepEqual(refusals(), [refused], "once");
      assert.equal((await statusOf(serverDaemon)).tunnels[0]?.peers[0]?.state, "waiting");
      await serverDaemon.stop();
      assert.match(refusals()[1] ?? "", /again=\d+$/, "the others as one sum at the end");
      assert.equal(refusals().length, 2);
      for (const { secret } of [right, credentials]) {
        assert.ok(!serverDaemon.log.join("\n").includes(secret), "a secret was told");
      }
    });
  }

  it("sends nothing to a client that is not there, and waits", async () => {
    const { server } = topology;
    const daemon = await start(server, serverConfig(right));
    const outside = await Capture.start(server, "ip", { device: "any" });
    assert.ok(!(await server.reaches(inner.client, 1)));
    await server.reaches("198.51.100.1");
    await outside.packet(/Out IP .* > 198\.51\.100\.1: ICMP/);
    const left = (await outside.stop()).filter((line) => !/^\S+ (lo|ipipou0) /.test(line));
    assert.deepEqual(
      left.filter((line) => /203\.0\.113\.1\.10000|172\.28\.0/.test(line)),
      [],
    );
    const [peer] = (await statusOf(daemon)).tunnels[0]?.peers ?? [];
    assert.deepEqual([peer?.state, peer?.endpoint], ["waiting", null]);
  });

  it("says once that the server does not answer, when traffic was tried", async () => {
    const { client } = topology;
    const daemon = await start(client, clientConfig(right));
    const pinger = new Pinger(client, inner.server, { interval: 0.2 });
    const said = await daemon.logs(/unanswered/);
    assert.match(said, /ipipou0\/server.*203\.0\.113\.1:10000.*nothing comes back/);
    // Further tries say nothing new.
    const outside = await Capture.start(client, "udp port 10000");
    const proofs = () => outside.packets.filter((line) => /length 73$/.test(line)).length;
    for (let wanted = 1; wanted <= 3; wanted++) {
      daemon.process.child.kill("SIGUSR1");
      await eventually(() => proofs() >= wanted);
    }
    await outside.stop();
    const { received } = await pinger.stop({ settle: false });
    assert.equal(received, 0);
    assert.equal((await statusOf(daemon)).tunnels[0]?.peers[0]?.state, "connecting");
    assert.equal(daemon.log.filter((line) => /unanswered|warning|error/.test(line)).length, 1);
  });
});
