/**
 * While a peer is absent or expired, or the link is down, nothing for its allowedIPs leaves by another
 * way. The hosts have a default route, and the server a second underlay device with another.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import {
  clientConfig,
  inner,
  newCredentials,
  type ServerSettings,
  serverConfig,
  tunnel,
} from "./support/pair.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";

/** On the other side of everything: what reaches it ends a capture. */
const fence = "198.51.100.1";

/** What leaves a host by any device but the tunnel's while `during` runs; tcpdump's lines. */
async function leaving(host: Host, during: () => Promise<unknown>): Promise<string[]> {
  const capture = await Capture.start(host, "ip", { device: "any" });
  await during();
  await host.try("ping", "-n", "-c", "1", "-W", "1", fence);
  await capture.packet(new RegExp(` Out IP \\S+ > ${fence.replaceAll(".", "\\.")}: ICMP`));
  const lines = await capture.stop();
  return lines.filter((line) => / Out IP /.test(line) && !/^\S+ (lo|ipipou0) /.test(line));
}

/** In clear, or as bare IPIP, to an inner address. */
const inClear = (line: string): boolean => /> 172\.28\.0\.\d+\b/.test(line);
const inTunnel = (line: string): boolean =>
  /IP \S+ > 203\.0\.113\.1\.10000: UDP|IP 203\.0\.113\.1\.10000 > /.test(line);
const leaks = (lines: readonly string[]): string[] =>
  lines.filter((line) => inClear(line) || inTunnel(line));

const few = ["-n", "-q", "-c", "3", "-i", "0.1", "-W", "1"];

/** Forwarded, from an address of the host, and from whatever the kernel chooses. */
async function tryAll(topology: Topology, address: string): Promise<void> {
  const { server, internet } = topology;
  await Promise.all([
    server.try("ping", ...few, address),
    server.try("ping", ...few, "-I", server.address, address),
    internet.try("ping", ...few, address),
  ]);
}

const forms: Readonly<Record<string, ServerSettings>> = {
  "a direct tunnel": {},
  "a hub": {
    peers: { other: { publicKey: newKeyPair().publicKey, allowedIPs: ["172.28.0.64/26"] } },
  },
};

for (const [form, settings] of Object.entries(forms)) {
  describe(`nothing leaks from ${form}`, () => {
    const credentials = newCredentials();
    let topology: Topology;
    let serverDaemon: Daemon;
    let clientDaemon: Daemon;

    before(async () => {
      topology = await Topology.create();
      const { server, client, internet } = topology;
      await server.sh(`
        ip link add spare type dummy
        ip addr add 10.9.9.1/24 dev spare
        ip link set spare up
        ip route add default via 10.9.9.2 dev spare metric 500
        ip neigh add 10.9.9.2 dev spare lladdr 02:00:00:00:00:02
        echo 1 >/proc/sys/net/ipv4/ip_forward`);
      await internet.run("ip", "route", "add", "172.28.0.0/24", "via", server.address);
      serverDaemon = await Daemon.start(
        server,
        serverConfig(credentials, { ...settings, peer: { authLifetime: "2s" } }),
      );
      clientDaemon = await Daemon.prepare(
        client,
        clientConfig(credentials, { peer: { keepalive: "500ms" } }),
      );
    });
    after(async () => {
      await clientDaemon?.remove();
      await serverDaemon?.remove();
      await topology.remove();
    });

    it("while the peer has never come", async () => {
      const lines = await leaving(topology.server, () => tryAll(topology, inner.client));
      assert.deepEqual(leaks(lines), []);
    });

    it("while the server's link is down; up again, traffic flows by itself", async () => {
      const { server } = topology;
      await clientDaemon.start();
      await eventually(() => server.reaches(inner.client));
      const there = await leaving(server, () => tryAll(topology, inner.client));
      assert.ok(there.some(inTunnel), "the capture sees what there is");
      assert.deepEqual(there.filter(inClear), []);

      const pinger = new Pinger(server, inner.client);
      await pinger.moreReplies(1);
      await server.run("ip", "link", "set", tunnel, "down");
      const lines = await leaving(server, () => tryAll(topology, inner.client));
      assert.deepEqual(leaks(lines), []);
      await server.run("ip", "link", "set", tunnel, "up");
      await pinger.moreReplies(5);
      await pinger.stop();
    });

    it("while the client's link is down; up again, traffic flows by itself", async () => {
      const { client } = topology;
      const pinger = new Pinger(client, inner.server);
      await pinger.moreReplies(1);
      await client.run("ip", "link", "set", tunnel, "down");
      const lines = await leaving(client, () => client.try("ping", ...few, inner.server));
      // Its authentications go on, and are all that does.
      assert.deepEqual(
        leaks(lines).filter((line) => !/UDP, length 73$/.test(line)),
        [],
      );
      await client.run("ip", "link", "set", tunnel, "up");
      await pinger.moreReplies(5);
      await pinger.stop();
    });

    it("when the proof has expired", async () => {
      const { client, server } = topology;
      clientDaemon.process.child.kill("SIGSTOP");
      await serverDaemon.logs(/expired/);
      const inside = await Capture.start(server, `src host ${inner.client}`, { device: tunnel });
      const lines = await leaving(server, async () => {
        await tryAll(topology, inner.client);
        await client.try("ping", ...few, inner.server);
      });
      assert.deepEqual(leaks(lines), []);
      assert.deepEqual(await inside.stop(), []);
    });

    it("when the proof has expired and the daemon is dead", async () => {
      const { client, server } = topology;
      clientDaemon.process.child.kill("SIGCONT");
      await eventually(() => server.reaches(inner.client));
      await serverDaemon.kill();
      await clientDaemon.kill();
      await eventually(async () => !(await client.reaches(inner.server, 1)));
      const inside = await Capture.start(server, `src host ${inner.client}`, { device: tunnel });
      const lines = await leaving(server, async () => {
        await tryAll(topology, inner.client);
        await client.try("ping", ...few, inner.server);
      });
      assert.deepEqual(lines.filter(inClear), []);
      // A direct tunnel's device still knows where the peer was last; a hub's map has forgotten it.
      const known = /IP 203\.0\.113\.1\.10000 > 198\.51\.100\.2\.\d+: UDP/;
      const allowed = form === "a hub" ? /^$/ : known;
      assert.deepEqual(
        leaks(lines).filter((line) => !allowed.test(line)),
        [],
      );
      assert.deepEqual(await inside.stop(), []);
    });
  });
}

describe("nothing leaks from a tunnel for everything", () => {
  let topology: Topology;
  let daemon: Daemon;
  before(async () => {
    topology = await Topology.create();
    const everything = { peer: { allowedIPs: ["0.0.0.0/0"] } };
    daemon = await Daemon.start(topology.client, clientConfig(newCredentials(), everything));
  });
  after(async () => {
    await daemon?.remove();
    await topology.remove();
  });

  it("while the link is down", async () => {
    const { client } = topology;
    const elsewhere = /> 203\.0\.113\.254\b/;
    const attempt = () => client.try("ping", ...few, "203.0.113.254");
    const capture = await Capture.start(client, "ip");
    await attempt();
    await client.run("ip", "link", "set", tunnel, "down");
    await attempt();
    await client.try("ping", ...few, "192.0.2.1"); // the local network is not for the tunnel
    await capture.packet(/> 192\.0\.2\.1: ICMP/);
    const lines = await capture.stop();
    assert.deepEqual(
      lines.filter((line) => elsewhere.test(line)),
      [],
    );
    await client.run("ip", "link", "set", tunnel, "up");
    const again = await Capture.start(client, "udp dst port 10000");
    await eventually(async () => {
      await client.try("ping", "-n", "-c", "1", "-W", "1", "203.0.113.254");
      return again.packets.some((line) => /UDP, length 84$/.test(line));
    });
    await again.stop();
  });
});
