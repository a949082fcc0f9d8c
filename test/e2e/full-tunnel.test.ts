/**
 * A laptop all of whose traffic goes through its tunnel, on a host with strict rp_filter: nothing but the
 * outer packets is seen on its uplink, whatever becomes of that, of the tunnel, or of the daemon.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Names } from "./support/names.ts";
import type { NatRouter } from "./support/nat.ts";
import { isAuthentication, outerPackets } from "./support/outer.ts";
import { Pinger } from "./support/ping.ts";
import { Topology } from "./support/topology.ts";
import {
  dialledTunnel,
  party,
  peerOf,
  port,
  serverConfig,
  serverInner,
  statusOf,
} from "./support/tunnels.ts";
import { wholeSnapshot } from "./support/whole.ts";

const one = party();
const name = "hub.test";

describe("full tunnel", () => {
  let topology: Topology;
  let server: Daemon;
  let client: Daemon;
  let names: Names;
  let elsewhere: NatRouter;
  /** Out on the Internet, and on the laptop's own network. */
  let site: Host;
  let neighbour: Host;
  let untouched: string;
  before(async () => {
    topology = await Topology.create();
    const { client: laptop } = topology;
    site = await topology.addStranger();
    neighbour = await topology.addClient();
    elsewhere = await topology.addNat();
    names = await Names.of(laptop, { [name]: topology.server.address });
    // A second uplink, not in use yet: another house with the same addresses, as they all have.
    await elsewhere.run(
      ...["ip", "link", "add", "name", "laptop", "type", "veth"],
      ...["peer", "name", "eth1", "netns", laptop.namespace],
    );
    await elsewhere.run("ip", "link", "set", "laptop", "master", "lan", "up");
    await laptop.sh(`
      echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
      echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter
      ip link set eth1 up`);
    await topology.server.sh(`
      echo 1 >/proc/sys/net/ipv4/ip_forward
      nft 'add table ip out; add chain ip out post { type nat hook postrouting priority srcnat; }; add rule ip out post ip saddr 172.28.0.0/24 oifname eth0 masquerade'`);
    untouched = await wholeSnapshot(laptop);
    const tunnel = dialledTunnel(one, {
      ...{ server: `${name}:${port}`, keepalive: "1h", allowedIPs: ["0.0.0.0/0"] },
    });
    const { listen: _, ...following } = tunnel;
    [server, client] = await Promise.all([
      Daemon.start(topology.server, serverConfig([one], { allowedIPs: [`${one.inner}/32`] })),
      Daemon.start(laptop, { tunnels: { ipipou0: following } }),
    ]);
    await carried();
  });
  after(async () => {
    for (const daemon of [client, server]) await daemon.remove();
    await names.remove();
    await topology.remove();
  });

  /** The Internet is reached. */
  async function carried(): Promise<void> {
    await eventually(() => topology.client.reaches(site.address, 1), {
      what: `a ping; ${[...client.log, ...server.log].join("\n")}`,
    });
  }

  /** What leaves by a real device while `during` runs, and is neither an outer packet nor for the LAN. */
  async function leaks(during: () => Promise<unknown>): Promise<readonly string[]> {
    const outer = `udp and host ${topology.server.address} and port ${port}`;
    const filter = `ip and not (${outer}) and not dst net 192.0.2.0/24`;
    const capture = await Capture.start(topology.client, filter, { device: "any" });
    await during();
    // Behind everything else, within the host.
    await topology.client.try("ping", "-n", "-c", "1", "-W", "1", "127.9.9.9");
    await capture.packet(/> 127\.9\.9\.9/);
    const lines = await capture.stop();
    return lines.filter((line) => / Out IP /.test(line) && / eth[01] /.test(line));
  }

  const wayTo = async (address: string, ...more: string[]): Promise<string> => {
    const [route] = JSON.parse(
      await topology.client.run("ip", "-j", "route", "get", address, ...more),
    ) as { dev: string }[];
    return route?.dev ?? "";
  };
  const markOf = async (): Promise<string> => {
    const [link] = JSON.parse(
      await topology.client.run("ip", "-d", "-j", "link", "show", "ipipou0"),
    ) as { linkinfo: { info_data: { fwmark: string } } }[];
    return link?.linkinfo.info_data.fwmark ?? "";
  };

  it("takes everything but its own packets and the LAN, under strict rp_filter", async () => {
    const { client: laptop } = topology;
    const seen = await Capture.start(site, "icmp");
    const left = await leaks(async () => {
      assert.ok(await laptop.reaches(site.address));
      assert.ok(await laptop.reaches(serverInner));
      assert.ok(await laptop.reaches(topology.server.address), "the server's own address too");
      assert.ok(await laptop.reaches(neighbour.address), "the LAN");
      await laptop.try("python3", "-c", datagramTo(site.address));
    });
    assert.deepEqual(left, []);
    const [request] = await seen.stop();
    assert.match(request ?? "", new RegExp(`IP ${topology.server.address} > `));
    assert.equal(await wayTo(site.address), "ipipou0");
    assert.equal(await wayTo(topology.server.address), "ipipou0");
    assert.equal(await wayTo(topology.server.address, "mark", await markOf()), "eth0");
    assert.equal(await wayTo(neighbour.address), "eth0");
  });

  it("goes on by a new default route, and back when its device vanishes and the old one comes again", async () => {
    const { client: laptop, nat } = topology;
    const pinger = new Pinger(laptop, site.address, { interval: 0.2 });
    await pinger.moreReplies(2);
    const left = await leaks(async () => {
      await laptop.sh(`
        ip addr flush dev eth0
        ip addr add 192.0.2.77/24 dev eth1
        ip route add default via 192.0.2.1 dev eth1`);
      await pinger.moreReplies(2);
      assert.equal(await wayTo(topology.server.address, "mark", await markOf()), "eth1");
      const { endpoint } = peerOf(await statusOf(server), one.name);
      assert.match(endpoint ?? "", new RegExp(`^${elsewhere.address}:`));
      await elsewhere.run("ip", "link", "del", "laptop");
      await laptop.sh(`
        ip addr add 192.0.2.2/24 dev eth0
        ip route add default via 192.0.2.1 dev eth0`);
      await pinger.moreReplies(2);
    });
    await pinger.stop();
    assert.deepEqual(left, []);
    const { endpoint } = peerOf(await statusOf(server), one.name);
    assert.match(endpoint ?? "", new RegExp(`^${nat.address}:`));
  });

  it("with the tunnel's device down nothing leaves but authentications; up, all goes on", async () => {
    const { client: laptop } = topology;
    await laptop.run("ip", "link", "set", "ipipou0", "down");
    const wire = await Capture.start(laptop, `udp dst port ${port}`);
    const left = await leaks(async () => {
      assert.ok(!(await laptop.reaches(site.address, 1)));
      client.process.child.kill("SIGUSR1");
      await eventually(() => outerPackets(wire.packets).some(isAuthentication));
    });
    assert.deepEqual(left, []);
    assert.deepEqual(
      outerPackets(await wire.stop()).filter((one) => !isAuthentication(one)),
      [],
    );
    await laptop.run("ip", "link", "set", "ipipou0", "up");
    await carried();
  });

  it("killed it leaks nothing and goes on; started again and stopped it leaves no trace", async () => {
    const { client: laptop } = topology;
    await client.kill();
    const dead = await leaks(() => carried());
    assert.deepEqual(dead, []);
    const alive = await leaks(async () => {
      await client.start();
      await carried();
    });
    assert.deepEqual(alive, []);
    assert.equal(await client.stop(), 0);
    await eventually(() => laptop.reaches(site.address, 1), { what: "the way without a tunnel" });
    // The second uplink has vanished meanwhile, with its settings.
    const lasting = (text: string): string =>
      text
        .split("\n")
        .filter((line) => !/\/eth1\//.test(line))
        .join("\n");
    assert.equal(
      lastingLinks(lasting(await wholeSnapshot(laptop))),
      lastingLinks(lasting(untouched)),
    );
  });
});

/** The snapshot without the device that the test itself has removed. */
function lastingLinks(text: string): string {
  const end = text.indexOf("\n}\n") + 2;
  const state = JSON.parse(text.slice(0, end)) as Record<string, { ifname?: string }[]>;
  for (const key of ["links", "addresses"]) {
    state[key] = (state[key] ?? []).filter(({ ifname }) => ifname !== "eth1");
  }
  return JSON.stringify(state, null, 2) + text.slice(end);
}

/** A question to a resolver out there; nobody answers. */
function datagramTo(address: string): string {
  return `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("${address}", 53))`;
}
