/** `explain` says what tcpdump and ping show. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Explained, Explanation } from "../../src/apply/explain/model.ts";
import { Capture } from "./support/capture.ts";
import { Daemon, mainFile } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { echoRequest, ipv4, udp } from "./support/packets.ts";
import { junkProof, Prover } from "./support/prover.ts";
import { Topology } from "./support/topology.ts";
import {
  clientConfig,
  clientPort,
  type Party,
  party,
  peerOf,
  serverInner,
  startClient,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

/** Seconds. */
const lifetime = 2;
/** The ping that must come out behind all that must not. */
const marker = 999;

describe("explain", () => {
  let topology: Topology;
  let strangerHost: Host;
  let mateHost: Host;
  let stranger: Injector;
  let wire: Injector;
  let server: Daemon;
  let client: Daemon;
  let mate: Daemon;
  const prover = new Prover();
  /** Direct, from the client. */
  const own = { ...party(0), inner: "172.28.1.2" };
  const ownInner = "172.28.1.1";
  /** A hub: the client's neighbour, the client again, two that are played, one that never comes. */
  const [one, two, roaming, brief, never] = [1, 2, 3, 4, 5].map(party) as [
    ...[Party, Party, Party, Party, Party],
  ];

  before(async () => {
    topology = await Topology.create();
    strangerHost = await topology.addStranger();
    mateHost = await topology.addClient();
    stranger = await Injector.start(strangerHost);
    wire = await Injector.start(topology.internet);
    const hub = waitingTunnel([one, two, roaming, never]);
    const others = waitingTunnel([brief], { peer: { authLifetime: `${lifetime}s` } });
    const peers = { ...(hub["peers"] as object), ...(others["peers"] as object) };
    server = await Daemon.start(topology.server, {
      queue: { ratePerSource: "5/s", rateTotal: "100/s" },
      tunnels: {
        ipipou0: { ...hub, peers },
        ipipou1: waitingTunnel([own], { port: 10_001, address: `${ownInner}/24` }),
      },
    });
    client = await startClient(topology.client, own, { port: 10_001, target: ownInner });
    mate = await startClient(mateHost, one);
  });
  after(async () => {
    for (const daemon of [client, mate, server]) await daemon.remove();
    await stranger.stop();
    await wire.stop();
    await topology.remove();
  });

  async function explained(...args: string[]): Promise<readonly Explained[]> {
    const { stdout, stderr, code } = await server.cli("explain", ...args, "--json");
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as Explanation).packets;
  }

  const find = (packets: readonly Explained[], kind: Explained["packet"] | "out"): Explained =>
    packets.find(({ packet, direction }) =>
      kind === "out" ? direction === "out" : direction === "in" && packet === kind,
    ) ?? assert.fail(`no ${kind}: ${JSON.stringify(packets)}`);

  async function endpointOf({ name }: Party, tunnel = "ipipou0"): Promise<string> {
    const { endpoint } = peerOf(await statusOf(server), name, tunnel);
    return endpoint ?? assert.fail(`${name} is not there`);
  }

  /** UDP to the server as if from there: sent where any source can be. */
  function packetFrom(from: string, payload: Uint8Array, destinationPort = 10_000): Buffer {
    const [source = "", port] = from.split(":");
    const destination = topology.server.address;
    return udp({ source, destination, sourcePort: Number(port), destinationPort, payload });
  }

  /** Which of the pings inside these packets come out, on any device of the server. */
  async function comeOut(...packets: ((sequence: number) => Uint8Array)[]): Promise<boolean[]> {
    const filter = "icmp[icmptype] == icmp-echo and icmp[4:2] == 0x1234";
    const inside = await Capture.start(topology.server, filter, { device: "any" });
    for (const [i, packet] of packets.entries()) await wire.send(packet(100 + i));
    await wire.send(echoRequest("203.0.113.254", topology.server.address, marker));
    await inside.packet(new RegExp(`seq ${marker},`));
    const seen = await inside.stop();
    return packets.map((_, i) => seen.some((line) => line.includes(`seq ${100 + i},`)));
  }

  const data =
    (from: string, { inner }: Party) =>
    (sequence: number) =>
      packetFrom(from, echoRequest(inner, serverInner, sequence));

  /** A ping to the inner address leaves for this endpoint, and comes back. */
  async function isReachedAt(inner: string, endpoint: string): Promise<void> {
    const [address = "", port = ""] = endpoint.split(":");
    const filter = `udp and dst host ${address} and dst port ${port}`;
    const capture = await Capture.start(topology.server, filter);
    assert.ok(await topology.server.reaches(inner));
    await capture.packet(/UDP/);
    await capture.stop();
  }

  /** Of the daemon at what proved nothing: clients go on proving themselves meanwhile. */
  async function looks(): Promise<number> {
    const { received, accepted } = (await statusOf(server)).queue;
    return received - accepted;
  }

  it("1 and 2: a known peer of a direct tunnel, and bare protocol 4 from its address", async () => {
    const at = await endpointOf(own, "ipipou1");
    const packets = await explained(at);
    assert.equal(find(packets, "data").verdict, "delivered on ipipou1");
    assert.equal(find(packets, "out").verdict, `sent to ${at}`);
    assert.equal(find(packets, "proof").outcome, "queued");
    assert.equal(find(packets, "protocol 4").outcome, "dropped");
    await isReachedAt(own.inner, at);
    const payload = (n: number) => echoRequest(own.inner, ownInner, n);
    const ends = { source: at.split(":")[0] ?? "", destination: topology.server.address };
    const seen = await comeOut(
      (n) => packetFrom(at, payload(n), 10_001),
      (n) => ipv4({ ...ends, protocol: 4, payload: payload(n) }),
    );
    assert.deepEqual(seen, [true, false]);
  });

  it("3: a peer of a hub with another's inner source", async () => {
    const at = await endpointOf(one);
    const packets = await explained(at, "--source", two.inner);
    assert.match(find(packets, "data").verdict, /^dropped: client1 stands at .* is client2's$/);
    assert.equal(find(await explained(at), "data").verdict, "delivered on ipipou0");
    assert.deepEqual(await comeOut(data(at, two), data(at, one)), [false, true]);
  });

  it("4: a second peer behind one address is translated, and reached", async () => {
    const first = clientConfig(own, { port: 10_001 })["tunnels"] as { ipipou0: object };
    const second = clientConfig(two, { localPort: clientPort + 1 })["tunnels"] as typeof first;
    await client.configure({ tunnels: { ipipou0: first.ipipou0, ipipou5: second.ipipou0 } });
    assert.equal((await client.cli("reload")).code, 0);
    await eventually(() => topology.client.reaches(serverInner, 1), { what: "the second tunnel" });
    assert.equal(peerOf(await statusOf(server), two.name).form, "translated");
    const at = await endpointOf(two);
    const packets = await explained(two.inner);
    const out = find(packets, "out");
    assert.equal(find(packets, "data").outcome, "delivered");
    assert.equal(out.verdict, `sent to ${at}`);
    assert.match(JSON.stringify(out.steps), /stands for 198\.51\.100\.2/);
    await isReachedAt(two.inner, at);
  });

  it("5: a stranger's data and junk are dropped, its proof is looked at", async () => {
    const from = `${strangerHost.address}:4000`;
    const packets = await explained(from, "--to", "ipipou0", "--source", one.inner);
    const kinds = ["data", "junk", "proof", "protocol 4"] as const;
    assert.deepEqual(
      kinds.map((kind) => find(packets, kind).outcome),
      ["dropped", "dropped", "queued", "dropped"],
    );
    const before = await looks();
    assert.deepEqual(await comeOut(data(from, one)), [false]);
    await wire.send(packetFrom(from, Buffer.alloc(40, 0x2e)));
    await wire.send(packetFrom(from, junkProof()));
    await eventually(async () => (await looks()) > before, { what: "a look" });
    assert.equal(await looks(), before + 1);
  });

  it("6: a peer that has roamed, at its old endpoint and at its new one", async () => {
    const from = (port: number) => ({ address: strangerHost.address, port });
    for (const port of [4001, 4002]) {
      await stranger.send(prover.packet(roaming, from(port)));
      const text = `${strangerHost.address}:${port}`;
      await eventually(async () => (await endpointOf(roaming)) === text, { what: text });
    }
    const [old, now] = [4001, 4002].map((port) => `${strangerHost.address}:${port}`);
    const before = await explained(old ?? "", "--to", "ipipou0", "--source", roaming.inner);
    assert.equal(
      find(before, "data").verdict,
      `dropped: ${roaming.name} is proven at ${now}, not at ${old}`,
    );
    const after = await explained(roaming.inner);
    assert.equal(find(after, "data").outcome, "delivered");
    assert.deepEqual(await comeOut(data(old ?? "", roaming), data(now ?? "", roaming)), [
      ...[false, true],
    ]);
  });

  it("7: a peer whose proof has run out", async () => {
    const from = { address: strangerHost.address, port: 4003 };
    await stranger.send(prover.packet(brief, from));
    const state = async () => peerOf(await statusOf(server), brief.name).state;
    await eventually(async () => (await state()) === "expired", { what: "the end of the proof" });
    const packets = await explained(brief.inner);
    assert.match(find(packets, "data").verdict, /^dropped: .* has no proof now \(one lasts 2 s\)/);
    assert.match(find(packets, "out").verdict, /^dropped: .* has no proof now$/);
    assert.deepEqual(await comeOut(data(`${from.address}:${from.port}`, brief)), [false]);
    assert.equal(await topology.server.reaches(brief.inner, 1), false);
  });

  it("8: a peer that never came", async () => {
    const capture = await Capture.start(topology.server, "udp and src port 10000");
    const packets = await explained(never.inner);
    assert.deepEqual(
      packets.map(({ outcome }) => outcome),
      ["dropped", "dropped"],
    );
    const from = capture.packets.length;
    assert.equal(await topology.server.reaches(never.inner, 1), false);
    const sent = (await capture.stop()).slice(from).filter((line) => /length 84\b/.test(line));
    assert.deepEqual(sent, [], "nothing left for it");
  });

  it("9: a stranger above its rate", async () => {
    const from = `${strangerHost.address}:4004`;
    const before = await looks();
    let count = 0;
    let told: Promise<readonly Explained[]> | undefined;
    let known: readonly Explained[] | undefined;
    while (known === undefined) {
      // Above the rate of its address, that of its port, and the little that is looked at all the same.
      count += 50;
      await wire.send(packetFrom(from, junkProof()), { count: 50, pause: 0.01 });
      told ??= explained(from, "--to", "ipipou0");
      known = await Promise.race([told, undefined]);
    }
    const proof = find(known, "proof");
    assert.equal(proof.verdict, `dropped: ${strangerHost.address} is above the limit just now`);
    assert.ok((await looks()) - before < count / 2);
    await eventually(
      async () => find(await explained(from, "--to", "ipipou0"), "proof").outcome === "queued",
      { what: "the end of the limit" },
    );
  });

  it("10: no daemon: what stands goes on, and nobody new gets in", async () => {
    const at = await endpointOf(one);
    await server.kill();
    const known = await explained(at);
    assert.equal(find(known, "data").outcome, "delivered");
    assert.match(find(known, "proof").verdict, /^dropped: nobody holds queue \d+$/);
    assert.deepEqual(await comeOut(data(at, one)), [true]);
    assert.ok(await mateHost.reaches(serverInner));
  });

  it("needs CAP_NET_ADMIN, and says so", async () => {
    const node = [process.execPath, mainFile, "explain", one.inner, "--config", server.configFile];
    const without = ["--bounding-set", "-net_admin", "--inh-caps", "-all", ...node];
    const { code, stderr } = await topology.server.try("setpriv", ...without);
    assert.equal(code, 3, stderr);
    assert.match(
      stderr,
      /^ipipoud: the gate can't be seen without CAP_NET_ADMIN; run it as root$/m,
    );
  });
});
