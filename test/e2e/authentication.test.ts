/**
 * Who gets in, who does not, and what is said about it: judged by ping, tcpdump and ip. One server lives
 * through it all; whoever is refused comes from a public address of its own, as refusals are summed up by it.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { tcpEcho } from "./support/echo.ts";
import { eventually } from "./support/eventually.ts";
import { newKeyPair } from "./support/keys.ts";
import {
  clientConfig,
  inner,
  newCredentials,
  type ServerSettings,
  statusOf,
  tunnel,
} from "./support/pair.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";

/** As tcpdump shows them on the server. */
const proof = /> 203\.0\.113\.1\.10000: UDP, length 73$/;
const data = /> 203\.0\.113\.1\.10000: UDP, length 84$/;
const fromServer = /IP 203\.0\.113\.1\.10000 > /;

describe("authentication", () => {
  const right = newCredentials();
  let topology: Topology;
  let serverDaemon: Daemon;
  let clientDaemon: Daemon | undefined;
  /** What our programs have said, for a look that no secret is in it. */
  const said: string[] = [];

  before(async () => {
    topology = await Topology.create();
    serverDaemon = await Daemon.start(
      topology.server,
      `
tunnels:
  ${tunnel}:
    listen: "203.0.113.1:10000"
    address: ${inner.server}/24
    peers:
      laptop:
        publicKey: ${right.publicKey}
        secretFile: laptop.secret
        allowedIPs: [${inner.client}/32]`,
      { files: { "laptop.secret": `${right.secret}\n` }, args: ["-v"] },
    );
  });
  afterEach(async () => {
    await clientDaemon?.remove();
    said.push(...(clientDaemon?.log ?? []));
    clientDaemon = undefined;
  });
  after(async () => {
    await serverDaemon?.remove();
    await topology.remove();
  });

  const startClient = async (credentials = right, settings: ServerSettings = {}) => {
    const args = { args: ["-v"] };
    clientDaemon = await Daemon.start(topology.client, clientConfig(credentials, settings), args);
    return clientDaemon;
  };
  const laptop = async () => (await statusOf(serverDaemon)).tunnels[0]?.peers[0];
  const nobodyIsThere = async (): Promise<void> => {
    const peer = await laptop();
    assert.deepEqual([peer?.state, peer?.endpoint], ["waiting", null]);
  };

  it("sends nothing to a client that is not there, and waits", async () => {
    const { server } = topology;
    const outside = await Capture.start(server, "ip", { device: "any" });
    assert.ok(!(await server.reaches(inner.client, 1)));
    await server.reaches("198.51.100.1");
    await outside.packet(/Out IP .* > 198\.51\.100\.1: ICMP/);
    const left = (await outside.stop()).filter((line) => !/^\S+ (lo|ipipou0) /.test(line));
    assert.deepEqual(
      left.filter((line) => /203\.0\.113\.1\.10000|172\.28\.0/.test(line)),
      [],
    );
    await nobodyIsThere();
  });

  const wrong = {
    key: { ...right, ...newKeyPair() },
    secret: { ...right, secret: newCredentials().secret },
  };
  for (const [what, credentials] of Object.entries(wrong)) {
    it(`lets nothing through for a wrong ${what}, and says so once`, async () => {
      const { client, server, nat } = topology;
      await nat.changeAddress(what === "key" ? "198.51.100.21" : "198.51.100.22");
      const { queue } = await statusOf(serverDaemon);
      const from = serverDaemon.log.length;
      const outside = await Capture.start(server, "udp port 10000 or ip proto 4");
      const inside = await Capture.start(server, `src host ${inner.client}`, { device: tunnel });
      const daemon = await startClient(credentials);
      const refused = await serverDaemon.logs(/refused/, { from });
      assert.match(refused, /wrong key or wrong secret/);
      assert.ok(refused.includes(`endpoint=${nat.publicAddress}:`), refused);

      // It tries again and again, with traffic all the while.
      const pinger = new Pinger(client, inner.server);
      const proofs = () => outside.packets.filter((line) => proof.test(line)).length;
      for (let wanted = proofs() + 1; wanted < 8; wanted = proofs() + 1) {
        daemon.process.child.kill("SIGUSR1");
        await eventually(() => proofs() >= wanted);
      }
      await eventually(
        async () => (await statusOf(serverDaemon)).queue.refused >= queue.refused + 5,
      );
      assert.ok(!(await server.reaches(inner.client, 1)));
      await eventually(() => outside.packets.filter((line) => data.test(line)).length >= 5);
      assert.equal((await pinger.stop({ settle: false })).received, 0);
      assert.deepEqual(await inside.stop(), []);
      assert.deepEqual(
        (await outside.stop()).filter((line) => fromServer.test(line)),
        [],
      );
      const refusals = serverDaemon.log.slice(from).filter((line) => /refused/.test(line));
      assert.deepEqual(refusals, [refused], "once");
      await nobodyIsThere();
    });
  }

  it("lets a client with key and secret in, through a NAT: ping and TCP both ways", async () => {
    const { client, server, nat } = topology;
    const outside = await Capture.start(server, "udp port 10000 or ip proto 4");
    await startClient();
    await eventually(() => client.reaches(inner.server));
    assert.ok(await server.reaches(inner.client));
    await tcpEcho(client, server, inner.server);
    await tcpEcho(server, client, inner.client);

    // The endpoint is what the NAT made of it: in the packets, in the kernel and in `status`.
    const lines = await outside.stop();
    const other = new RegExp(`${nat.publicAddress.replaceAll(".", "\\.")}\\.(\\d+) > 203`);
    const port = lines.map((line) => other.exec(line)?.[1]).find((found) => found !== undefined);
    assert.ok(Number(port) >= nat.port, lines[0]);
    for (const line of lines) {
      assert.ok(line.includes(` ${nat.publicAddress}.${port}`), line);
      assert.match(line, /: UDP, length \d+$/);
    }
    assert.ok(lines.some((line) => proof.test(line)));
    const links = JSON.parse(await server.run("ip", "-d", "-j", "link", "show", tunnel));
    assert.equal(links[0].linkinfo.info_data.remote, nat.publicAddress);
    const peer = await laptop();
    assert.deepEqual(
      [peer?.state, peer?.endpoint],
      ["authenticated", `${nat.publicAddress}:${port}`],
    );
    assert.equal(serverDaemon.log.filter((line) => /authenticated/.test(line)).length, 1);
  });

  it("keeps two capabilities and no way to another, though root started it", () => {
    const { pid } = serverDaemon.process;
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"),
    );
    // Node's thread for its debugger, which blocks all signals and sleeps, can't be asked.
    const awake = threads.filter((status) => !/^SigBlk:\s*f/m.test(status));
    assert.ok(awake.length >= threads.length - 1 && awake.length > 4, `${awake.length}`);
    for (const status of awake) {
      const set = (name: string): string | undefined =>
        new RegExp(`^${name}:\\s*0*([0-9a-f]+)$`, "m").exec(status)?.[1];
      const sets = ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"].map(set);
      assert.deepEqual(sets, ["3000", "3000", "3000", "0", "0"]);
      assert.match(status, /^NoNewPrivs:\s*1$/m);
    }
  });

  it("tells no secret: not in logs, not in status, not in --check", async () => {
    for (const args of [["status"], ["--check", "--json"]]) {
      const { code, stdout, stderr } = await serverDaemon.cli(...args, "-v");
      assert.equal(code, 0, stderr);
      said.push(stdout, stderr);
    }
    assert.match(said.join("\n"), /state: authenticated/);
    said.push(JSON.stringify(await statusOf(serverDaemon)));
    assert.equal(await serverDaemon.stop(), 0);
    said.push(...serverDaemon.log);
    const sums = serverDaemon.log.filter((line) => /refused.* again=\d+$/.test(line));
    assert.equal(sums.length, 2, "what was refused again comes as one sum for each");

    const text = said.join("\n");
    assert.ok(said.length > 10);
    for (const { secret, privateKey } of [right, wrong.key, wrong.secret]) {
      for (const hidden of [secret, privateKey]) {
        for (const encoding of ["utf8", "base64", "hex"] as const) {
          const form = Buffer.from(hidden).toString(encoding);
          assert.ok(!text.includes(form), `a secret was told, as ${encoding}`);
        }
      }
    }
  });

  it("says once that the server does not answer, when traffic was tried", async () => {
    const { client } = topology;
    const daemon = await startClient();
    const pinger = new Pinger(client, inner.server, { interval: 0.2 });
    const unanswered = await daemon.logs(/unanswered/);
    assert.match(unanswered, /ipipou0\/server.*203\.0\.113\.1:10000.*nothing comes back/);
    // Further tries say nothing new.
    const outside = await Capture.start(client, "udp port 10000");
    const proofs = () => outside.packets.filter((line) => proof.test(line)).length;
    for (let wanted = 1; wanted <= 3; wanted++) {
      daemon.process.child.kill("SIGUSR1");
      await eventually(() => proofs() >= wanted);
    }
    await outside.stop();
    assert.equal((await pinger.stop({ settle: false })).received, 0);
    assert.equal((await statusOf(daemon)).tunnels[0]?.peers[0]?.state, "connecting");
    const lines = daemon.log.filter((line) => /unanswered|warning|error/.test(line));
    assert.deepEqual(lines, [unanswered]);
  });
});
