/** kill -9 in the middle of a start: the next one succeeds, whatever the first one got done. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Daemon, mainFile } from "./support/daemon.ts";
import type { Program } from "./support/program.ts";
import { lasting, snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { openQueue, party, waitingTunnel } from "./support/tunnels.ts";

/** Moments at which the daemon is killed. */
const tries = 10;

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

  /** A device made anew has another index. */
  const state = async (): Promise<string> =>
    lasting(await snapshot(topology.server)).replaceAll(/"ifindex": \d+,?/g, "");

  /** Runs the daemon under strace, which steps aside (-D): the process is the daemon. */
  function traced(...args: readonly string[]): Program {
    const program = daemon.host.start("strace", [
      ...["-D", "-f", "-s", "100", "-o", join(daemon.folder, "trace")],
      ...["-e", "trace=sendto,write", ...args],
      ...[process.execPath, mainFile, "--config", daemon.configFile],
    ]);
    programs.push(program);
    return program;
  }

  /** How many messages a start sends to the kernel. */
  async function countMessages(): Promise<number> {
    const program = traced("--seccomp-bpf");
    await program.line(/\bready$/);
    await program.stop("SIGTERM");
    const trace = (await readFile(join(daemon.folder, "trace"), "utf8")).split("\n");
    const ready = trace.findIndex((line) => /write\(2, .*ready/.test(line));
    assert.ok(ready > 0, trace.join("\n"));
    return trace.slice(0, ready).filter((line) => line.includes(" sendto(")).length;
  }

  /** A start that ends with kill -9 in place of this message (which works without seccomp-bpf only). */
  async function killedAt(message: number): Promise<void> {
    const program = traced("-e", `inject=sendto:signal=SIGKILL:when=${message}`);
    assert.equal(await program.end(), "SIGKILL");
    assert.ok(!program.lines.some((line) => /\bready$/.test(line)), "killed before it was ready");
  }

  it("leaves nothing that the next start stumbles over, nor the stop after it", async () => {
    const nothing = await state();
    await daemon.start();
    const whole = await state();
    assert.equal(await daemon.stop(), 0);
    assert.equal(await state(), nothing);
    const messages = await countMessages();
    assert.ok(messages > tries, `${messages} messages`);
    assert.equal(await state(), nothing);
    // From the last one back: what changes the kernel comes at the end.
    for (let back = tries - 1; back >= 0; back--) {
      const moment = `killed at message ${messages - back} of ${messages}`;
      await killedAt(messages - back);
      await daemon.start();
      assert.equal(await state(), whole, moment);
      assert.equal(await daemon.stop(), 0);
      assert.equal(await state(), nothing, moment);
    }
  });
});
