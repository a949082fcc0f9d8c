/**
 * What the kernel can't tell apart by outer addresses: clients behind one NAT address on one port and on
 * two, and a second hub on the same local address; beside a third client elsewhere.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { echoRequest, fragments, udp } from "./support/packets.ts";
import { Pinger } from "./support/ping.ts";
import { type Dial, dial } from "./support/sides.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import {
  clientPort,
  dialledTunnel,
  openQueue,
  party,
  peerOf,
  type State,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

/** Tunnels of the server: a hub, one with a port of its own, another hub, and one to a client that has two. */
const tunnels = ["ipipou0", "ipipou1", "ipipou2", "ipipou3"] as const;

/** Local ports of clients' tunnels, by the server's. */
const localPort = (port: number): number => (port === 10_003 ? 5003 : clientPort);

describe("translated", () => {
  let topology: Topology;
  let server: Daemon;
  let untouched: string;
  let one: Dial;
  let two: Dial;
  let elsewhere: Dial;
  let alone: Dial;
  let other: Dial;
  /** The same client as `elsewhere`, by a second tunnel. */
  let again: Dial;
  const daemons = new Map<Dial, Daemon>();

  before(async () => {
    topology = await Topology.create();
    const hubParties = [party(0), party(1), party(2)] as const;
    const own = { ...party(3), inner: "172.28.1.2" };
    const others = [party(4), party(5)].map((it, i) => ({ ...it, inner: `172.28.2.${2 + i}` }));
    const at = (client: Host, network: number, who: Dial["one"]): Dial => ({
      ...{ client, one: who, port: 10_000 + network, serverInner: `172.28.${network}.1` },
    });
    one = at(topology.client, 0, hubParties[0]);
    two = at(await topology.addClient(), 0, hubParties[1]);
    elsewhere = at(await topology.addStranger(), 0, hubParties[2]);
    alone = at(await topology.addClient(), 1, own);
    other = at(await topology.addClient(), 2, others[0] ?? assert.fail());
    const second = { ...party(6), inner: "172.28.3.2" };
    again = at(elsewhere.client, 3, second);
    untouched = await snapshot(topology.server);
    await topology.nat.sh(`
      ip addr add 198.51.100.99/24 dev wan
      nft 'add table ip other'
      nft 'add set ip other away { type ipv4_addr; }'
      nft 'add chain ip other out { type nat hook postrouting priority 90; }'
      nft 'add rule ip other out oifname wan ip saddr @away snat to 198.51.100.99'`);
    // As on many distributions.
    await topology.server.sh(
      "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$f; done; echo 1 >/proc/sys/net/ipv4/ip_forward",
    );
    const waiting = (network: number, parties: Parameters<typeof waitingTunnel>[0]) =>
      waitingTunnel(parties, { port: 10_000 + network, address: `172.28.${network}.1/24` });
    server = await Daemon.start(topology.server, {
      queue: openQueue,
      tunnels: Object.fromEntries(
        [hubParties, [own], others, [second]].map((parties, i) => [
          tunnels[i],
          waiting(i, parties),
        ]),
      ),
    });
    // In this order, so that it is known who comes second.
    for (const it of [alone, one, two]) daemons.set(it, await dial(it));
    daemons.set(other, await dial(other));
    await dialTwice();
  });

  /** Two tunnels from one host to one server, behind a firewall that lets in what belongs to something. */
  async function dialTwice(): Promise<void> {
    const { client } = elsewhere;
    await client.sh(`
      nft 'add table ip fw'
      nft 'add chain ip fw in { type filter hook input priority 0; }'
      nft 'add rule ip fw in iifname eth0 meta l4proto udp ct state != { established, related } drop'`);
    // Everything through the translated one: its outer packets, routed again, must not go into it.
    const both = [elsewhere, again].map((it) => {
      const wide = it === again ? { allowedIPs: ["0.0.0.0/0"] } : {};
      const { port } = it;
      return dialledTunnel(it.one, { port, localPort: localPort(port), keepalive: "1h", ...wide });
    });
    const config = { tunnels: { ipipou0: both[0], ipipou3: both[1] } };
    const daemon = await Daemon.start(client, config);
    daemons.set(elsewhere, daemon);
    for (const it of [elsewhere, again]) {
      await eventually(() => client.reaches(it.serverInner, 1), {
        what: `a ping from ${it.one.name}; its log:\n${daemon.log.join("\n")}`,
      });
    }
  }

  after(async () => {
    for (const daemon of [...daemons.values(), server]) await daemon.remove();
    await topology.remove();
  });

  const all = (): Dial[] => [one, two, elsewhere, alone, other, again];

  const tunnelOf = ({ port }: Dial): string => tunnels[port - 10_000] ?? assert.fail();

  async function forms(state?: State): Promise<string[]> {
    const now = state ?? (await statusOf(server));
    return all().map((it) => peerOf(now, it.one.name, tunnelOf(it)).form);
  }

  async function reachAll(): Promise<void> {
    for (const it of all()) {
      assert.ok(await it.client.reaches(it.serverInner), `${it.one.name} to the server`);
      assert.ok(await topology.server.reaches(it.one.inner), `the server to ${it.one.name}`);
    }
    for (const from of [one, two, elsewhere]) {
      for (const to of [one, two, elsewhere]) {
        if (from !== to) assert.ok(await from.client.reaches(to.one.inner));
      }
    }
  }

  /** Nobody who pings loses one while this happens. */
  async function losingNothing(watched: readonly Dial[], body: () => Promise<void>): Promise<void> {
    const pingers = watched.map(({ client, serverInner }) => new Pinger(client, serverInner));
    for (const pinger of pingers) await pinger.moreReplies(3);
    await body();
    for (const [i, pinger] of pingers.entries()) {
      await pinger.moreReplies(3);
      assert.deepEqual((await pinger.stop()).lost, [], watched[i]?.one.name);
    }
  }

  it("lets all pairs ping, strict rp_filter and all", async () => {
    assert.deepEqual(await forms(), [
      ...["hub", "translated", "hub", "translated", "translated", "translated"],
    ]);
    const theirs = await statusOf(daemons.get(elsewhere) ?? assert.fail());
    assert.deepEqual(
      theirs.tunnels.map(({ peers }) => peers[0]?.form),
      ["direct", "translated"],
    );
    await reachAll();
  });

  it("reassembles outer fragments, in every form", async () => {
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const inside = await Capture.start(topology.server, filter, { device: "any" });
    for (const [i, it] of all().entries()) {
      const injector = await Injector.start(it.client, "eth0");
      const whole = udp({
        ...{ source: it.client.address, destination: topology.server.address },
        ...{ sourcePort: localPort(it.port), destinationPort: it.port },
        payload: echoRequest(it.one.inner, it.serverInner, 40 + i),
      });
      await injector.sendAll(fragments(whole, 7 + i));
      await inside.packet(new RegExp(`${it.one.inner} > ${it.serverInner}: .*seq ${40 + i},`));
      await injector.stop();
    }
    await inside.stop();
  });

  it("drops another's inner source, and whoever names a stand-in", async () => {
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const inside = await Capture.start(topology.server, filter, { device: "any" });
    const injector = await Injector.start(two.client);
    const from = (inner: string, sequence: number, port = two.port): Buffer =>
      udp({
        ...{ source: two.client.address, destination: topology.server.address },
        ...{ sourcePort: clientPort, destinationPort: port },
        payload: echoRequest(inner, two.serverInner, sequence),
      });
    for (const [i, it] of [one, elsewhere, alone, other, again].entries()) {
      await injector.send(from(it.one.inner, 10 + i));
      await injector.send(from(it.one.inner, 20 + i, it.port));
    }
    const routes = await topology.server.run("ip", "-4", "route", "show", "table", "local");
    const standIns = [...routes.matchAll(/^local (2[45]\d\.[\d.]+)/gm)].map(
      ([, address]) => address,
    );
    assert.equal(standIns.length, 3, routes);
    const onLink = await Injector.start(topology.internet);
    for (const [i, standIn = ""] of standIns.entries()) {
      await topology.internet.sh(
        `ip route add ${standIn}/32 via ${topology.server.address} dev public onlink`,
      );
      const payload = echoRequest(alone.one.inner, alone.serverInner, 30 + i);
      for (const it of [alone, other, again]) {
        const ends = { source: topology.nat.publicAddress, destination: standIn };
        const ports = { sourcePort: topology.nat.port, destinationPort: it.port };
        await onLink.send(udp({ ...ends, ...ports, payload }));
      }
    }
    await injector.send(from(two.one.inner, 999));
    await inside.packet(/seq 999,/);
    await onLink.send(echoRequest("203.0.113.254", topology.server.address, 998));
    await inside.packet(/seq 998,/);
    const seen = new Set(
      (await inside.stop()).flatMap((line) => /seq (\d+),/.exec(line)?.[1] ?? []),
    );
    assert.deepEqual([...seen].sort(), ["998", "999"]);
    await injector.stop();
    await onLink.stop();
  });

  it("survives kill -9: no packet is lost, the next daemon takes over, and finds nothing to do", async () => {
    const before = await statusOf(server);
    await losingNothing(all(), async () => {
      await server.kill();
      await server.start();
    });
    const now = await statusOf(server);
    assert.deepEqual(await forms(now), await forms(before));
    for (const it of all()) {
      const endpoint = (state: State) => peerOf(state, it.one.name, tunnelOf(it)).endpoint;
      assert.equal(endpoint(now), endpoint(before));
    }
    const { stdout } = await server.cli("--check", "--json");
    const check = JSON.parse(stdout) as { steps: unknown[]; findings: { code: string }[] };
    assert.deepEqual(check.steps, []);
    assert.ok(check.findings.some(({ code }) => code === "translated"));
  });

  it("costs nobody a packet when one moves up as the other goes, and when it comes back", async () => {
    const rest = ["translated", "translated", "translated"];
    // The first of the hub leaves the address.
    await losingNothing([two, elsewhere, alone, other, again], async () => {
      await goes(one, "away");
      assert.deepEqual(await forms(), ["hub", "hub", "hub", ...rest]);
    });
    // The second follows it: who was alone there keeps its place.
    await losingNothing([one, elsewhere, alone, other, again], async () => {
      await goes(two, "away");
      assert.deepEqual(await forms(), ["hub", "translated", "hub", ...rest]);
    });
    await losingNothing([two, elsewhere, alone, other, again], async () => {
      await goes(one, "home");
      assert.deepEqual(await forms(), ["hub", "hub", "hub", ...rest]);
    });
    await reachAll();
  });

  /** From now on the client's packets come from the NAT's other address, or from its first one again. */
  async function goes(it: Dial, where: "away" | "home"): Promise<void> {
    const from = server.log.length;
    const action = where === "away" ? "add" : "delete";
    await topology.nat.sh(`
      nft ${action} element ip other away { ${it.client.address} }
      conntrack -D -p udp -s ${it.client.address} >/dev/null 2>&1 || true`);
    daemons.get(it)?.process.child.kill("SIGUSR1");
    await server.logs(
      new RegExp(
        `${tunnelOf(it)}/${it.one.name}\\b.*roamed|roamed.*${tunnelOf(it)}/${it.one.name}\\b`,
      ),
      {
        from,
      },
    );
  }

  it("leaves nothing behind", async () => {
    assert.equal(await server.stop(), 0);
    await topology.server.sh(
      "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done; echo 0 >/proc/sys/net/ipv4/ip_forward",
    );
    assert.equal(await snapshot(topology.server), untouched);
  });
});
