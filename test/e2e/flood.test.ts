/**
 * Strangers send ten times what the queue may take, most of it worth a verification: from one place, from a
 * million addresses, and in the name of a client. Established tunnels don't notice, and a client that moves
 * meanwhile is in at once.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { projectRoot } from "../lab/paths.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { Pinger } from "./support/ping.ts";
import { type From, Prover } from "./support/prover.ts";
import { Topology } from "./support/topology.ts";
import { clientConfig, party, port, serverInner, waitingTunnel } from "./support/tunnels.ts";

/** Packets a second. */
const rateTotal = 100;
const flooded = 10 * rateTotal;
/** Moves during each flood. */
const moves = 7;
/** Milliseconds between two tries. */
const again = 100;
/** Milliseconds within which one is in; where the machine is slow, as a multiple of what it takes without a flood. */
const patience = 2000;
const times = 5;

/** A stranger's flood at full rate. */
interface Flood {
  readonly source: string;
  readonly sources: number;
  /** 0: any. */
  readonly sourcePort: number;
}

describe("flood", () => {
  const laptop = party(0);
  const others = [1, 2, 3, 4, 5, 6].map(party);
  const roamer = party(7);
  const prover = new Prover();
  let folder: string;
  let topology: Topology;
  let stranger: Host;
  let injector: Injector;
  let server: Daemon;
  let client: Daemon;
  let pinger: Pinger;
  let moved = 0;
  /** CPU nanoseconds of the daemon for a genuine authentication that moves a tunnel. */
  let genuine = 0;
  let usual = 0;
  const late: number[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ipipoud-flood-"));
    topology = await Topology.create();
    stranger = await topology.addStranger();
    const source = join(projectRoot, "test/e2e/support/flood.c");
    await stranger.run("gcc", "-O1", "-o", join(folder, "flood"), source);
    injector = await Injector.start(await topology.addStranger());
    const peer = { authLifetime: "10s" };
    server = await Daemon.start(topology.server, {
      queue: { ratePerSource: "10/s", rateTotal: `${rateTotal}/s` },
      tunnels: { ipipou0: waitingTunnel([laptop, ...others, roamer], { peer }) },
    });
    client = await Daemon.start(topology.client, clientConfig(laptop, { keepalive: "2s" }));
    await eventually(() => topology.client.reaches(serverInner, 1));
    pinger = new Pinger(topology.client, serverInner);
    await pinger.moreReplies(1);
  });
  after(async () => {
    await injector?.stop();
    for (const daemon of [client, server]) await daemon?.remove();
    await topology.remove();
    rmSync(folder, { recursive: true });
  });

  const proc = (file: string): string =>
    readFileSync(`/proc/${server.process.child.pid}/${file}`, "utf8");
  const cpu = (): number => Number(proc("schedstat").split(" ")[0]);
  const resident = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(proc("status"))?.[1]);

  /** Asks ten times a second until it is in; gives the milliseconds that it took. */
  async function move(from: From): Promise<number> {
    let looked = server.log.length;
    let found = false;
    const isIn = (): boolean => {
      for (; looked < server.log.length; looked++) {
        const line = server.log[looked] ?? "";
        if (line.includes(roamer.name) && line.includes(`${from.address}:${from.port}`))
          found = true;
      }
      return found;
    };
    const start = performance.now();
    while (!isIn() && performance.now() - start < 10_000) {
      const asked = performance.now();
      await injector.send(prover.packet(roamer, from));
      while (!isIn() && performance.now() - asked < again)
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - start;
  }

  const anywhere = (): From => ({ address: `198.51.100.${100 + ++moved}`, port: 4000 });

  async function during(
    t: TestContext,
    { source, sources, sourcePort }: Flood,
    where: () => From,
  ): Promise<void> {
    const flood = stranger.start(join(folder, "flood"), [
      ...[topology.server.address, String(port), String(flooded)],
      ...[source, String(sources), String(sourcePort)],
    ]);
    await flood.line(/^open$/);
    // It has used up what the limits allow at once.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const began = { cpu: cpu(), at: performance.now() };
    const took: number[] = [];
    for (let i = 0; i < moves; i++) took.push(await move(where()));
    const used = cpu() - began.cpu - moves * genuine;
    const seconds = (performance.now() - began.at) / 1000;
    await flood.stop("SIGTERM");
    const sent = Number(/^sent (\d+)$/.exec(flood.lines.at(-1) ?? "")?.[1]);
    const rate = sent / (seconds + 1.5);
    const each = used / (rate * seconds);
    t.diagnostic(
      `in after ${took.map((time) => time.toFixed(0)).join(", ")} ms; ${rate.toFixed(0)} packets a second, ` +
        `${(each / 1000).toFixed(0)} µs for each, ${(genuine / 1000).toFixed(0)} µs for a genuine one`,
    );
    late.push(...took.filter((time) => time > Math.max(patience, times * usual)));
    assert.ok(rate > 0.7 * flooded, `only ${rate} packets a second`);
    assert.ok(each < genuine / 10, `${each} ns against ${genuine}`);
  }

  it("none: what a genuine authentication costs", async (t) => {
    await move(anywhere());
    const began = { cpu: cpu(), at: performance.now() };
    for (let i = 0; i < moves; i++) await move(anywhere());
    genuine = (cpu() - began.cpu) / moves;
    usual = (performance.now() - began.at) / moves;
    t.diagnostic(`in after ${usual.toFixed(0)} ms`);
  });

  let memory = 0;
  it("from one place", async (t) => {
    await during(t, { source: "198.51.100.66", sources: 1, sourcePort: 4444 }, anywhere);
    memory = resident();
  });

  it("from a million addresses", async (t) => {
    await during(t, { source: "100.64.0.0", sources: 2 ** 20, sourcePort: 0 }, anywhere);
  });

  it("in the client's name", async (t) => {
    const address = "198.51.100.99";
    const where = (): From => ({ address, port: 5000 + ++moved });
    await during(t, { source: address, sources: 1, sourcePort: 0 }, where);
  });

  it("is over, and nothing was lost: no ping, no proof, no memory", async (t) => {
    const { lost, received } = await pinger.stop();
    t.diagnostic(`${received} pings, ${lost.length} lost; late: ${late.length} of ${3 * moves}`);
    t.diagnostic(`${memory} kB resident after the first flood, ${resident()} kB at the end`);
    assert.deepEqual(lost, []);
    assert.ok(late.length <= 1, `${late}`);
    assert.ok(resident() < 1.1 * memory, `${memory} kB, then ${resident()} kB`);
    const gone = server.log.filter((line) => line.includes("client0") && /expired/.test(line));
    assert.deepEqual(gone, []);
  });
});
