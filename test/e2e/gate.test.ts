/** What does not come out of a tunnel, whoever sends it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture } from "./support/capture.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import type { NatRouter } from "./support/nat.ts";
import { echoRequest, ipv4, udp } from "./support/packets.ts";
import { Topology } from "./support/topology.ts";
import {
  clientConfig,
  clientPort,
  dialledTunnel,
  openQueue,
  type Party,
  party,
  waitingTunnel,
} from "./support/tunnels.ts";

/** A packet that plays a tunnel's, and the host that sends it. */
interface Attempt {
  readonly from: Injector;
  readonly packet: Uint8Array;
}

/** A tunnel of the server, its client, and the client's neighbour behind the same NAT. */
interface Side {
  readonly one: Party;
  readonly port: number;
  readonly serverInner: string;
  readonly nat: NatRouter;
  readonly client: Host;
  readonly peer: Injector;
  readonly mateHost: Host;
  readonly mate: Injector;
}

/** The ping that must come out, behind all that must not. */
const marker = 999;

describe("gate", () => {
  let topology: Topology;
  let strangerHost: Host;
  let stranger: Injector;
  let direct: Side;
  let hub: Side;
  let server: Daemon;
  const clients: Daemon[] = [];

  async function side(nat: NatRouter, one: Party, network: number, client: Host): Promise<Side> {
    const mateHost = await topology.addClient(nat);
    return {
      one: { ...one, inner: `172.28.${network}.2` },
      port: 10_000 + network,
      serverInner: `172.28.${network}.1`,
      nat,
      client,
      peer: await Injector.start(client),
      mateHost,
      mate: await Injector.start(mateHost),
    };
  }

  before(async () => {
    topology = await Topology.create();
    strangerHost = await topology.addStranger();
    stranger = await Injector.start(strangerHost);
    const elsewhere = await topology.addNat();
    direct = await side(topology.nat, party(0), 0, topology.client);
    hub = await side(elsewhere, party(1), 1, await topology.addClient(elsewhere));
    const other = { ...party(2), inner: "172.28.1.3" };
    const tunnel = ({ port, serverInner }: Side, parties: readonly Party[]) =>
      waitingTunnel(parties, { port, address: `${serverInner}/24` });
    const tunnels = {
      ipipou0: tunnel(direct, [direct.one]),
      ipipou1: tunnel(hub, [hub.one, other]),
    };
    server = await Daemon.start(topology.server, { queue: openQueue, tunnels });
  });
  after(async () => {
    for (const daemon of [...clients, server]) await daemon.remove();
    for (const { peer, mate } of [direct, hub]) {
      await peer.stop();
      await mate.stop();
    }
    await stranger.stop();
    await topology.remove();
  });

  async function dial({ one, port, serverInner, client }: Side): Promise<void> {
    const config = clientConfig(one, { port });
    // Beside it one to a server that is not there.
    const silent = dialledTunnel(
      { ...one, inner: "172.30.0.2" },
      { server: "203.0.113.254:9", localPort: clientPort + 1 },
    );
    const tunnels = { ...(config["tunnels"] as object), silent0: silent };
    clients.push(await Daemon.start(client, { tunnels }));
    await eventually(() => client.reaches(serverInner, 1), { what: "a ping through the tunnel" });
  }

  /** Sends each attempt, then what must come out; gives the pings that did beside it, anywhere on `host`. */
  async function comingOut(
    host: Host,
    attempts: (sequence: () => number) => readonly Attempt[],
    last: Attempt,
  ): Promise<string[]> {
    let sequence = 100;
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const capture = await Capture.start(host, filter, { device: "any" });
    const all = attempts(() => sequence++);
    assert.ok(all.length > 0);
    for (const { from, packet } of all) await from.send(packet);
    await last.from.send(last.packet);
    await capture.packet(new RegExp(`seq ${marker},`));
    return (await capture.stop()).filter((line) => !line.includes(`seq ${marker},`));
  }

  /** Bare protocol 4 and FOU data that no tunnel of the server may let out. */
  function forServer(of: Side, sequence: () => number): Attempt[] {
    const { one, port: destinationPort, serverInner, nat, client, peer, mateHost, mate } = of;
    const destination = topology.server.address;
    const ping = (inner = one.inner) => echoRequest(inner, serverInner, sequence());
    const bare = (source: string) => ipv4({ source, destination, protocol: 4, payload: ping() });
    const data = (source: string, sourcePort: number, payload = ping()) =>
      udp({ source, destination, sourcePort, destinationPort, payload });
    const spoofed = ["172.28.0.77", "172.28.1.3", serverInner, "8.8.8.8"];
    return [
      { from: stranger, packet: bare(strangerHost.address) },
      { from: stranger, packet: bare(nat.publicAddress) },
      { from: mate, packet: bare(mateHost.address) },
      { from: peer, packet: bare(client.address) },
      { from: stranger, packet: data(strangerHost.address, clientPort) },
      { from: stranger, packet: data(strangerHost.address, destinationPort) },
      { from: stranger, packet: data(nat.publicAddress, nat.port + 77) },
      { from: mate, packet: data(mateHost.address, clientPort) },
      { from: mate, packet: data(mateHost.address, destinationPort) },
      ...spoofed.map((inner) => ({
        from: peer,
        packet: data(client.address, clientPort, ping(inner)),
      })),
    ];
  }

  /** The peer's own data. */
  function own({ one, port, serverInner, client, peer }: Side): Attempt {
    const ends = { source: client.address, destination: topology.server.address };
    const ports = { sourcePort: clientPort, destinationPort: port };
    const payload = echoRequest(one.inner, serverInner, marker);
    return { from: peer, packet: udp({ ...ends, ...ports, payload }) };
  }

  it("lets nothing out of tunnels that wait", async () => {
    const last: Attempt = {
      from: stranger,
      packet: echoRequest(strangerHost.address, topology.server.address, marker),
    };
    const attempts = (sequence: () => number): Attempt[] =>
      [direct, hub].flatMap((of) => forServer(of, sequence));
    assert.deepEqual(await comingOut(topology.server, attempts, last), []);
  });

  it("lets nothing but its peer's own data out of a direct tunnel", async () => {
    await dial(direct);
    const attempts = (sequence: () => number): Attempt[] => forServer(direct, sequence);
    assert.deepEqual(await comingOut(topology.server, attempts, own(direct)), []);
    assert.ok(await direct.client.reaches(direct.serverInner));
  });

  it("lets nothing but its peers' own data out of a hub", async () => {
    await dial(hub);
    const attempts = (sequence: () => number): Attempt[] => forServer(hub, sequence);
    assert.deepEqual(await comingOut(topology.server, attempts, own(hub)), []);
    assert.ok(await hub.client.reaches(hub.serverInner));
  });

  it("lets nothing but the server's data out of a client's tunnel", async () => {
    const { one, port, serverInner, client, mate, mateHost } = direct;
    // From the client's own network, any source can be sent.
    const destination = client.address;
    const { address: serverAddress } = topology.server;
    const bare = (source: string, payload: Uint8Array) =>
      ipv4({ source, destination, protocol: 4, payload });
    const data = (source: string, sourcePort: number, payload: Uint8Array) =>
      udp({ source, destination, sourcePort, destinationPort: clientPort, payload });
    const packets = (sequence: () => number): Uint8Array[] => {
      const ping = (inner = serverInner) => echoRequest(inner, one.inner, sequence());
      const silent = () => echoRequest("172.30.0.1", "172.30.0.2", sequence());
      const toSilent = { destination, destinationPort: clientPort + 1 };
      return [
        bare(mateHost.address, ping()),
        bare(serverAddress, ping()),
        data(mateHost.address, port, ping()),
        data(serverAddress, port + 1, ping()),
        data(serverAddress, port, ping("10.1.1.1")),
        bare("203.0.113.254", silent()),
        udp({ ...toSilent, source: "203.0.113.254", sourcePort: 10, payload: silent() }),
        udp({ ...toSilent, source: mateHost.address, sourcePort: 9, payload: silent() }),
      ];
    };
    const seen = await comingOut(
      client,
      (sequence) => packets(sequence).map((packet) => ({ from: mate, packet })),
      {
        from: mate,
        packet: data(serverAddress, port, echoRequest(serverInner, one.inner, marker)),
      },
    );
    assert.deepEqual(seen, []);
    assert.ok(await client.reaches(serverInner));
  });
});
