/** kill -9 in the middle of a start: the next one succeeds, whatever the first one got done. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Daemon, mainFile } from "./support/daemon.ts";
import type { Program } from "./support/program.ts";
import { renewable, snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { openQueue, party, waitingTunnel } from "./support/tunnels.ts";

/** Moments at which the daemon is killed. */
const tries = 5;
/** Messages between two tries: each costs three starts of node. */
const stride = 2;
const ready = /\bready$/;
const killAt = new URL("./support/kill-at.js", import.meta.url).href;

describe("crash while starting", () => {
  let topology: Topology;
  let daemon: Daemon;
  const programs: Program[] = [];
  before(async () => {
    topology = await Topology.create();
    const hub = { port: 10_001, address: "172.29.0.1/24" };
    const others = [party(1), party(2)].map((one, i) => ({ ...one, inner: `172.29.0.${2 + i}` }));
    const tunnels = { ipipou0: waitingTunnel([party(0)]), ipipou1: waitingTunnel(others, hub) };
    daemon = await Daemon.prepare(topology.server, { queue: openQueue, tunnels });
  });
  after(async () => {
    for (const program of programs) await program.stop("SIGKILL");
    await daemon.remove();
    await topology.remove();
  });

  const state = async (): Promise<string> => renewable(await snapshot(topology.server));

  /** The daemon, which says each message to the kernel; with `kill`, dead in place of that one. */
  function watched(kill = 0): Program {
    const environment = { NODE_OPTIONS: `--import=${killAt}`, KILL_AT: String(kill) };
    const args = [mainFile, "--config", daemon.configFile];
    const program = daemon.host.start(process.execPath, args, environment);
    programs.push(program);
    return program;
  }

  /** How many messages a start sends to the kernel. */
  async function countMessages(): Promise<number> {
    const program = watched();
    await program.line(ready);
    await program.stop("SIGTERM");
    const start = program.lines.slice(
      0,
      program.lines.findIndex((line) => ready.test(line)),
    );
    return start.filter((line) => line.startsWith("message ")).length;
  }

  async function killedAt(message: number): Promise<void> {
    const program = watched(message);
    assert.equal(await program.end(), "SIGKILL", program.lines.join("\n"));
    assert.ok(!program.lines.some((line) => ready.test(line)), "killed before it was ready");
  }

  let nothing = "";
  let whole = "";
  let messages = 0;

  it("is compared with a start from nothing, and counted in messages to the kernel", async () => {
    nothing = await state();
    await daemon.start();
    whole = await state();
    assert.equal(await daemon.stop(), 0);
    assert.equal(await state(), nothing);
    messages = await countMessages();
    assert.ok(messages > tries * stride, `${messages} messages`);
    assert.equal(await state(), nothing);
  });

  // From the last one back: what changes the kernel comes at the end.
  for (let back = 0; back < tries * stride; back += stride) {
    it(`${back} messages before the last leaves nothing that the next start stumbles over`, async () => {
      await killedAt(messages - back);
      await daemon.start();
      assert.equal(await state(), whole);
      assert.equal(await daemon.stop(), 0);
      assert.equal(await state(), nothing);
    });
  }
});
