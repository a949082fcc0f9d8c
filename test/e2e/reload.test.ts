/** Reloads: only what differs is touched, an error changes nothing, established tunnels carry on. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Pinger } from "./support/ping.ts";
import { lasting, snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import {
  clientConfig,
  openQueue,
  party,
  peerOf,
  serverInner,
  startClient,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

const second = { port: 10_001, address: "172.29.0.1/24" };
const third = { port: 10_002, address: "172.30.0.1/24" };
const inOther = (number: number, net: number) => ({
  ...party(number),
  inner: `172.${net}.0.2`,
});

describe("reload", () => {
  const laptop = party(0);
  const other = inOther(1, 29);
  const stranger = inOther(2, 30);
  let topology: Topology;
  let untouched: string;
  let server: Daemon;
  let client: Daemon;
  let pinger: Pinger;

  const first = waitingTunnel([laptop]);
  /** Without what comes and goes by itself. */
  const state = async (): Promise<string> => lasting(await snapshot(topology.server));
  const configure = async (tunnels: Record<string, unknown>, top = {}): Promise<void> =>
    await server.configure({ queue: openQueue, tunnels, ...top });

  before(async () => {
    topology = await Topology.create();
    untouched = await state();
    server = await Daemon.start(topology.server, { queue: openQueue, tunnels: { one: first } });
    client = await startClient(topology.client, laptop);
    pinger = new Pinger(topology.client, serverInner);
    await pinger.moreReplies(3);
  });
  after(async () => {
    for (const daemon of [client, server]) await daemon.remove();
    await topology.remove();
  });

  it("of a file with an error says what and where, and changes nothing", async () => {
    const before = await state();
    await configure({ one: first, two: { listen: "nonsense:", peers: {} } });
    const { code, stderr } = await server.cli("reload");
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^ipipoud: \S+ipipoud\.json:\d+:\d+: .*tunnels\.two/m);
    const from = server.log.length;
    server.process.child.kill("SIGHUP");
    assert.match(await server.logs(/not reloaded/, { from }), /tunnels\.two/);
    assert.equal(await state(), before);
  });

  it("of a file with what somebody else holds changes nothing either", async () => {
    await topology.server.run("ip", "link", "add", "name", "taken", "type", "dummy");
    const before = await state();
    const two = { ...waitingTunnel([other], second), interface: "taken" };
    await configure({ one: first, two });
    const { code, stderr } = await server.cli("reload");
    const after = await state();
    await topology.server.run("ip", "link", "del", "taken");
    assert.equal(code, 5, stderr);
    assert.equal(after, before);
  });

  it("adds, changes and removes a tunnel beside one that carries on", async () => {
    const { lastAuthentication } = peerOf(await statusOf(server), laptop.name, "one");
    await configure({ one: first, two: waitingTunnel([other], second) });
    const added = await server.cli("reload");
    assert.match(added.stdout, /^add .*two/m, added.stderr);
    assert.doesNotMatch(added.stdout, /\bone\b/);
    const changed = { ...waitingTunnel([stranger], third), interface: "renamed" };
    await configure({ one: first, two: changed });
    const from = server.log.length;
    server.process.child.kill("SIGHUP");
    await server.logs(/reloaded/, { from });
    const links = await topology.server.run("ip", "-br", "link", "show", "type", "ipip");
    assert.match(links, /^renamed@/m);
    assert.doesNotMatch(links, /^two@/m);
    await configure({ one: first });
    assert.match((await server.cli("reload")).stdout, /^remove .*renamed/m);
    assert.equal((await server.cli("reload")).stdout, "nothing to change\n");
    const peer = peerOf(await statusOf(server), laptop.name, "one");
    assert.equal(peer.state, "authenticated");
    // A keepalive may have come in between; what was known is not forgotten.
    assert.ok((peer.lastAuthentication ?? "") >= (lastAuthentication ?? assert.fail()));
  });

  it("goes back by itself when nobody confirms, and stays when somebody does", async () => {
    await configure({ one: first, two: waitingTunnel([other], second) });
    const from = server.log.length;
    assert.match(
      (await server.cli("reload", "--confirm", "1s")).stdout,
      /unless `ipipoud confirm`/,
    );
    await server.logs(/not confirmed within 1 s/, { from });
    await eventually(async () => (await statusOf(server)).tunnels.length === 1, {
      what: "the former configuration",
    });
    await server.cli("reload", "--confirm", "60s");
    assert.equal((await server.cli("confirm")).code, 0);
    assert.equal((await statusOf(server)).tunnels.length, 2);
    assert.equal((await server.cli("confirm")).code, 2, "nothing is left to confirm");
  });

  it("of another control socket, log and queue is followed at once", async () => {
    const top = { queue: { ...openQueue, number: 7 }, control: `${server.folder}/other.sock` };
    await configure({ one: first }, top);
    // The running daemon's socket is the one of the file before.
    const socket = `${server.folder}/control.sock`;
    const { code, stderr } = await server.cli("reload", "--control", socket);
    assert.equal(code, 0, stderr);
    assert.match((await server.cli("status")).stdout, /interface: one/);
    await configure({ one: first });
    assert.equal((await server.cli("reload", "--control", top.control)).code, 0);
  });

  it("aside: status --watch tells how much goes through now, until it is interrupted", async () => {
    const program = server.follow("status", "one", "--watch=500ms", "--json");
    const rate = (line: string): number => {
      const { tunnels } = JSON.parse(line) as { tunnels: { rxPacketsPerSecond: number | null }[] };
      return tunnels[0]?.rxPacketsPerSecond ?? 0;
    };
    await eventually(() => program.stdout.some((line) => line !== "" && rate(line) > 0), {
      what: "packets per second",
    });
    assert.equal(rate(program.stdout[0] ?? ""), 0, "the first has nothing to compare with");
    assert.equal(await program.stop("SIGINT"), 0);
  });

  it("costs a tunnel that stands no packet", async () => {
    await pinger.moreReplies(5);
    assert.deepEqual((await pinger.stop()).lost, []);
  });

  it("that cuts the way of who asked for it is undone in time, without a hand on either side", async () => {
    const operator = new Pinger(topology.client, serverInner);
    await operator.moreReplies(3);
    // To another port: the client goes on sending to the one that it knows.
    await configure({ one: waitingTunnel([laptop], { port: 10_009 }) });
    const from = server.log.length;
    const asked = await server.cli("reload", "--confirm", "3s");
    assert.match(asked.stdout, /goes back in 3 s/, asked.stderr);
    assert.equal(await topology.client.reaches(serverInner, 1), false, "the way is cut");
    await server.logs(/not confirmed within 3 s/, { from });
    await operator.moreReplies(3);
    const { lost } = await operator.stop();
    assert.ok(lost.length > 0);
    const { listen } = (await statusOf(server)).tunnels[0] ?? assert.fail();
    assert.equal(listen.port, 10_000);
    assert.equal((await server.cli("confirm")).code, 2, "nothing is left to confirm");
    await configure({ one: first });
    assert.equal((await server.cli("reload")).stdout, "nothing to change\n");
  });

  it("lets nobody in by a proof that is no longer asked for", async () => {
    const tunnel = waitingTunnel([laptop], { peer: { secret: "another" } });
    await configure({ one: tunnel });
    assert.equal((await server.cli("reload")).code, 0);
    assert.equal(peerOf(await statusOf(server), laptop.name, "one").state, "waiting");
    assert.equal(await topology.client.reaches(serverInner, 1), false);
    await client.configure(clientConfig(laptop));
    await configure({ one: first });
    assert.equal((await server.cli("reload")).code, 0);
    assert.equal((await client.cli("reauth")).code, 0);
    await eventually(() => topology.client.reaches(serverInner, 1), { what: "a ping again" });
  });

  it("of another table moves everything there", async () => {
    await configure({ one: first }, { table: "elsewhere" });
    const { code, stderr } = await server.cli("reload");
    assert.equal(code, 0, stderr);
    const tables = await topology.server.run("nft", "list", "tables");
    assert.equal(tables.trim(), "table ip elsewhere");
    await client.cli("reauth");
    await eventually(() => topology.client.reaches(serverInner, 1), { what: "a ping again" });
  });

  it("aside: events tells what happens while it happens", async () => {
    const program = server.follow("events", "--json");
    await eventually(
      async () => {
        await client.cli("reauth");
        server.process.child.kill("SIGHUP");
        return program.stdout.length > 0;
      },
      { what: "an event" },
    );
    const event = JSON.parse(program.stdout[0] ?? "") as Record<string, unknown>;
    assert.deepEqual(Object.keys(event), ["time", "event", "tunnel", "peer", "endpoint", "reason"]);
    await program.stop("SIGINT");
  });

  it("aside: cleanup leaves a living daemon alone, and removes all of a dead one", async () => {
    const alive = await server.cli("cleanup");
    assert.equal(alive.code, 5, alive.stderr);
    assert.match(alive.stderr, /pid \d+/);
    await server.kill();
    const dead = await server.cli("cleanup");
    assert.equal(dead.code, 0, dead.stderr);
    assert.match(dead.stdout, /^remove .*one/m);
    assert.equal(await state(), untouched);
    assert.equal((await server.cli("cleanup")).stdout, "nothing to remove\n");
  });

  it("leaves nothing behind at the stop", async () => {
    await server.start();
    assert.equal(await server.stop(), 0);
    assert.equal(await state(), untouched);
  });
});
