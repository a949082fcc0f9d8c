/**
 * While a peer is absent or expired, or the link is down, nothing for its allowedIPs leaves by another
 * way. One server has a direct tunnel and a hub, a default route, and a second underlay device with another.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import { clientConfig, newCredentials, serverConfig, tunnel } from "./support/pair.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";

/** The server's two tunnels, and the inner addresses at their ends. */
const direct = {
  ...{ device: "ipipou0", port: 10_000, credentials: newCredentials(), others: {} },
  ...{ server: "172.28.0.1", client: "172.28.0.2" },
};
const hub = {
  ...{ device: "ipipou1", port: 10_001, credentials: newCredentials() },
  ...{ server: "172.28.1.1", client: "172.28.1.2" },
  others: { other: { publicKey: newKeyPair().publicKey, allowedIPs: ["172.28.1.64/26"] } },
};
type Side = Omit<typeof hub, "others"> & { readonly others: Readonly<Record<string, unknown>> };
const sides: readonly Side[] = [direct, hub];

function waiting({ credentials, device, port, server, client, others }: Side) {
  const { tunnels } = serverConfig(credentials, {
    peers: others,
    peer: { authLifetime: "2s", allowedIPs: [`${client}/32`] },
    tunnel: { interface: device, listen: `203.0.113.1:${port}`, address: `${server}/24` },
  });
  return (tunnels as Record<string, unknown>)[tunnel];
}

const dialling = ({ credentials, port, server, client }: Side) =>
  clientConfig(credentials, {
    peer: {
      endpoint: `203.0.113.1:${port}`,
      allowedIPs: [`${server}/32`],
      keepalive: "500ms",
    },
    tunnel: { address: `${client}/24` },
  });

/** On the other side of everything: what reaches it ends a capture. */
const fence = "198.51.100.1";

/** What leaves a host by any device but the tunnels' while `during` runs; tcpdump's lines. */
async function leaving(host: Host, during: () => Promise<unknown>): Promise<string[]> {
  const capture = await Capture.start(host, "ip", { device: "any" });
  await during();
  await host.try("ping", "-n", "-c", "1", "-W", "1", fence);
  await capture.packet(new RegExp(` Out IP \\S+ > ${fence.replaceAll(".", "\\.")}: ICMP`));
  const lines = await capture.stop();
  return lines.filter((line) => / Out IP /.test(line) && !/^\S+ (lo|ipipou\d) /.test(line));
}

/** To an inner address: in clear, or as bare IPIP. */
const inClear = (line: string): boolean => /> 172\.28\.\d\.\d+\b/.test(line);
const inTunnel = (line: string): boolean =>
  /> 203\.0\.113\.1\.1000\d: UDP|IP 203\.0\.113\.1\.1000\d > /.test(line);
const leaks = (lines: readonly string[]): string[] =>
  lines.filter((line) => inClear(line) || inTunnel(line));

const few = ["-n", "-q", "-c", "3", "-i", "0.1", "-W", "1"];

describe("nothing leaks", () => {
  let topology: Topology;
  let serverDaemon: Daemon;
  let clients: { readonly side: Side; readonly host: Host; readonly daemon: Daemon }[] = [];

  before(async () => {
    topology = await Topology.create();
    const { server, internet } = topology;
    await server.sh(`
      ip link add spare type dummy
      ip addr add 10.9.9.1/24 dev spare
      ip link set spare up
      ip route add default via 10.9.9.2 dev spare metric 500
      ip neigh add 10.9.9.2 dev spare lladdr 02:00:00:00:00:02
      echo 1 >/proc/sys/net/ipv4/ip_forward`);
    await internet.run("ip", "route", "add", "172.28.0.0/16", "via", server.address);
    const tunnels = { direct: waiting(direct), hub: waiting(hub) };
    serverDaemon = await Daemon.start(server, { tunnels });
    const hosts = [topology.client, await topology.addClient(await topology.addNat())] as const;
    clients = [
      { side: direct, host: hosts[0], daemon: await Daemon.prepare(hosts[0], dialling(direct)) },
      { side: hub, host: hosts[1], daemon: await Daemon.prepare(hosts[1], dialling(hub)) },
    ];
  });
  after(async () => {
    for (const { daemon } of clients) await daemon.remove();
    await serverDaemon?.remove();
    await topology.remove();
  });

  /** Forwarded, from an address of the host, and from whatever the kernel chooses. */
  const tryAll = async (): Promise<void> => {
    const { server, internet } = topology;
    const pings = sides.flatMap(({ client }) => [
      server.try("ping", ...few, client),
      server.try("ping", ...few, "-I", server.address, client),
      internet.try("ping", ...few, client),
    ]);
    await Promise.all(pings);
  };
  const everybodyIsIn = async (): Promise<void> => {
    for (const { client } of sides) await eventually(() => topology.server.reaches(client));
  };
  /** What comes out of the server's tunnels from clients while `during` runs. */
  const arriving = async (during: () => Promise<unknown>): Promise<readonly string[]> => {
    const filter = "src host 172.28.0.2 or src host 172.28.1.2";
    const captures = await Promise.all(
      sides.map(({ device }) => Capture.start(topology.server, filter, { device })),
    );
    await during();
    return (await Promise.all(captures.map((capture) => capture.stop()))).flat();
  };
  const clientsTry = () =>
    Promise.all(clients.map(({ side, host }) => host.try("ping", ...few, side.server)));

  it("while the peer has never come", async () => {
    assert.deepEqual(leaks(await leaving(topology.server, tryAll)), []);
  });

  it("while the server's link is down; up again, traffic flows by itself", async () => {
    const { server } = topology;
    await Promise.all(clients.map(({ daemon }) => daemon.start()));
    await everybodyIsIn();
    const there = await leaving(server, tryAll);
    for (const { port } of sides) {
      const sent = there.filter((line) => line.includes(`203.0.113.1.${port} > `));
      assert.ok(sent.length > 0, "the capture sees what there is");
    }
    assert.deepEqual(there.filter(inClear), []);

    const pingers = sides.map(({ client }) => new Pinger(server, client));
    for (const pinger of pingers) await pinger.moreReplies(1);
    for (const { device } of sides) await server.run("ip", "link", "set", device, "down");
    assert.deepEqual(leaks(await leaving(server, tryAll)), []);
    for (const { device } of sides) await server.run("ip", "link", "set", device, "up");
    for (const pinger of pingers) await pinger.moreReplies(5);
    for (const pinger of pingers) await pinger.stop();
  });

  it("while the client's link is down; up again, traffic flows by itself", async () => {
    const { client } = topology;
    const pinger = new Pinger(client, direct.server);
    await pinger.moreReplies(1);
    await client.run("ip", "link", "set", tunnel, "down");
    const lines = await leaving(client, () => client.try("ping", ...few, direct.server));
    // Its authentications go on, and are all that does.
    const isProof = (line: string): boolean => /UDP, length 73$/.test(line);
    assert.deepEqual(
      leaks(lines).filter((line) => !isProof(line)),
      [],
    );
    await client.run("ip", "link", "set", tunnel, "up");
    await pinger.moreReplies(5);
    await pinger.stop();
  });

  it("when the proof has expired", async () => {
    const { server } = topology;
    const from = serverDaemon.log.length;
    for (const { daemon } of clients) daemon.process.child.kill("SIGSTOP");
    await serverDaemon.logs(/direct\/laptop: expired/, { from });
    await serverDaemon.logs(/hub\/laptop: expired/, { from });
    const arrived = await arriving(async () => {
      const lines = await leaving(server, () => Promise.all([tryAll(), clientsTry()]));
      assert.deepEqual(leaks(lines), []);
    });
    assert.deepEqual(arrived, []);
  });

  it("when the proof has expired and the daemon is dead", async () => {
    const { server } = topology;
    for (const { daemon } of clients) daemon.process.child.kill("SIGCONT");
    await everybodyIsIn();
    await serverDaemon.kill();
    for (const { daemon } of clients) await daemon.kill();
    for (const { side, host } of clients) {
      await eventually(async () => !(await host.reaches(side.server, 1)));
    }
    const arrived = await arriving(async () => {
      const lines = await leaving(server, () => Promise.all([tryAll(), clientsTry()]));
      assert.deepEqual(lines.filter(inClear), []);
      // A direct tunnel's device still knows where the peer was last; a hub's map has forgotten it.
      const known = /IP 203\.0\.113\.1\.10000 > 198\.51\.100\.2\.\d+: UDP/;
      assert.deepEqual(
        leaks(lines).filter((line) => !known.test(line)),
        [],
      );
    });
    assert.deepEqual(arrived, []);
  });

  it("while the link of a tunnel for 0.0.0.0/0 is down", async () => {
    const stranger = await topology.addStranger();
    const everything = { peer: { allowedIPs: ["0.0.0.0/0"] } };
    const daemon = await Daemon.start(stranger, clientConfig(newCredentials(), everything));
    try {
      const elsewhere = "203.0.113.254";
      const attempt = () => stranger.try("ping", ...few, elsewhere);
      const capture = await Capture.start(stranger, "ip");
      await attempt();
      await stranger.run("ip", "link", "set", tunnel, "down");
      await attempt();
      // The network at hand is not for the tunnel.
      await stranger.try("ping", ...few, fence);
      await capture.packet(/> 198\.51\.100\.1: ICMP/);
      const lines = await capture.stop();
      const sent = lines.filter((line) => line.includes(`> ${elsewhere}`));
      assert.deepEqual(sent, []);
      const inside = await Capture.start(stranger, "udp dst port 10000");
      await stranger.run("ip", "link", "set", tunnel, "up");
      await eventually(async () => {
        await stranger.try("ping", "-n", "-c", "1", "-W", "1", elsewhere);
        return inside.packets.some((line) => /UDP, length 84$/.test(line));
      });
      await inside.stop();
    } finally {
      await daemon.remove();
    }
  });
});
