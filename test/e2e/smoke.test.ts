/** Proves the lab without our program: bare FOU made with `ip`, and every helper that other tests lean on. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { tcpEcho } from "./support/echo.ts";
import { Injector } from "./support/inject.ts";
import { echoRequest, ipv4 } from "./support/packets.ts";
import { Pinger } from "./support/ping.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";

describe("lab", () => {
  let topology: Topology;
  before(async () => {
    topology = await Topology.create();
  });
  after(async () => {
    await topology.remove();
  });

  it("reaches the server from the client, as the NAT's address", async () => {
    const { client, server, nat } = topology;
    const capture = await Capture.start(server, "icmp");
    assert.ok(await client.reaches(server.address));
    await capture.packet(new RegExp(`${nat.publicAddress} > ${server.address}`));
    await capture.stop();
    await tcpEcho(client, server, server.address);
  });

  it("changes the NAT's mapping and its address", async () => {
    const { client, server, nat } = topology;
    const capture = await Capture.start(server, "udp port 9");
    const send = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 5555)); s.sendto(b"x", ("203.0.113.1", 9))`;
    const seen = async (): Promise<void> => {
      await client.run("/usr/bin/python3", "-c", send);
      const { publicAddress, port } = nat;
      const hundred = String(port).slice(0, 3);
      await capture.packet(new RegExp(`${publicAddress}\\.${hundred}\\d\\d > 203`));
    };
    await seen();
    await nat.changeMapping();
    await seen();
    await nat.changeAddress("198.51.100.22");
    await seen();
    assert.equal((await capture.stop()).length, 3, capture.packets.join("\n"));
    await nat.changeAddress(nat.address);
  });

  it("gives a second client, a second NAT with the same inside, and a stranger", async () => {
    const { server, nat } = topology;
    const neighbour = await topology.addClient();
    const elsewhere = await topology.addNat();
    const far = await topology.addClient(elsewhere);
    const stranger = await topology.addStranger();
    assert.notEqual(nat.publicAddress, elsewhere.publicAddress);
    assert.ok(await neighbour.reaches(server.address));
    assert.ok(await far.reaches(server.address));
    assert.ok(await stranger.reaches(server.address));
    assert.ok(await server.reaches(stranger.address));
    assert.ok(await neighbour.reaches(topology.client.address));
  });

  it("carries bare FOU made with ip, and takes a bare protocol-4 packet from anyone who has the address", async () => {
    const { server } = topology;
    const peer = await topology.addStranger();
    const before = await snapshot(server);
    await fou(peer, "172.28.0.2", server.address, peer.address);
    await fou(server, "172.28.0.1", peer.address, server.address);
    const pinger = new Pinger(peer, "172.28.0.1");
    await pinger.moreReplies(5);
    assert.deepEqual((await pinger.stop()).lost, []);
    await tcpEcho(peer, server, "172.28.0.1");

    const inside = await Capture.start(server, "icmp", { device: "t0" });
    const injector = await Injector.start(peer);
    const payload = echoRequest("172.28.0.2", "172.28.0.1", 77);
    const { address: source } = peer;
    await injector.send(ipv4({ source, destination: server.address, protocol: 4, payload }));
    await inside.packet(/172\.28\.0\.2 > 172\.28\.0\.1: ICMP echo request, id \d+, seq 77/);
    await injector.stop();
    await inside.stop();

    assert.notEqual(await snapshot(server), before);
    await server.run("ip", "link", "del", "t0");
    await server.run("ip", "fou", "del", "port", "10000");
    assert.equal(await snapshot(server), before);
  });
});

async function fou(
  host: Topology["server"],
  inner: string,
  remote: string,
  local: string,
): Promise<void> {
  await host.sh(`
    ip fou add port 10000 ipproto 4
    ip link add name t0 type ipip local ${local} remote ${remote} ttl 64 \\
      encap fou encap-sport 10000 encap-dport 10000
    ip addr add ${inner}/24 dev t0
    ip link set t0 up`);
}
