/**
 * What befalls a daemon from outside while its tunnels are up: it is stopped, it has no descriptors left, somebody wants
 * its queue. Tunnels that stand carry on, one line says what it is, and all is well when it has passed. The next
 * fault: another test here; all share the hosts and daemons.
 *
 *     IPIPOUD_STOPPED=60 stops it for a minute.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { hold } from "./support/holder.ts";
import type { Host } from "./support/host.ts";
import { Pinger } from "./support/ping.ts";
import type { Program } from "./support/program.ts";
import { dial, type Side, serverOf, sidesOf } from "./support/sides.ts";
import { Topology } from "./support/topology.ts";
import { peerOf, statusOf } from "./support/tunnels.ts";

const stopped = Number(process.env["IPIPOUD_STOPPED"] ?? 3);

/** What systemd would hear. */
const notified = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;

describe("what befalls a daemon while it runs", () => {
  let topology: Topology;
  let host: Host;
  let direct: Side;
  let hub: Side;
  let server: Daemon;
  let listener: Program;
  const clients: Daemon[] = [];

  before(async () => {
    topology = await Topology.create();
    host = topology.server;
    ({ direct, hub } = await sidesOf(topology));
    const path = `/tmp/ipipoud-faults-${process.pid}.sock`;
    listener = host.start("/usr/bin/python3", ["-c", notified, path]);
    await listener.line(/^bound$/);
    server = await Daemon.prepare(host, serverOf([direct, hub]), {
      environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "1000000" },
    });
    server.launch();
    await listener.line(/^READY=1$/);
    clients.push(...(await Promise.all([dial(direct), dial(hub)])));
  });
  after(async () => {
    await listener.stop("SIGKILL");
    for (const daemon of [...clients, server]) await daemon.remove();
    await topology.remove();
  });

  const isBack = async ({ client, serverInner }: Side): Promise<void> => {
    await eventually(() => client.reaches(serverInner, 1), { what: `a ping to ${serverInner}` });
  };

  /** A new mapping at its NAT, and word of it. */
  const roam = async (side: Side, daemon: Daemon | undefined): Promise<void> => {
    await side.nat.changeMapping();
    daemon?.process.child.kill("SIGUSR1");
  };

  it(`stopped for ${stopped} s: nothing is lost, and who has proved itself meanwhile is let in`, async () => {
    const pinger = new Pinger(direct.client, direct.serverInner);
    await pinger.moreReplies(5);
    const from = server.log.length;
    server.process.child.kill("SIGSTOP");
    await roam(hub, clients[1]);
    await sleep(stopped * 1000);
    const beats = listener.lines.length;
    server.process.child.kill("SIGCONT");
    await listener.line(/^WATCHDOG=1$/, { from: beats });
    await server.logs(/\broamed\b/, { from });
    await isBack(hub);
    assert.deepEqual((await pinger.stop()).lost, []);
    const status = await statusOf(server);
    assert.equal(peerOf(status, hub.one.name, hub.tunnel).state, "authenticated");
  });

  it("no file descriptors left: it answers whom it has, lets peers roam, and says so once", async () => {
    const socket = connect(join(server.folder, "control.sock"));
    const lines = createInterface(socket);
    const { pid } = server.process.child;
    const from = server.log.length;
    // Whoever is connected is served; of the next ones none fits in.
    socket.write('{"command":"status"}\n');
    await once(lines, "line");
    const open = (await host.sh(`ls /proc/${pid}/fd | sort -n | tail -1`)).trim();
    await host.run("prlimit", `--pid=${pid}`, `--nofile=${Number(open) + 1}:524288`);
    try {
      const pinger = new Pinger(direct.client, direct.serverInner);
      await pinger.moreReplies(5);
      await roam(hub, clients[1]);
      await server.logs(/\broamed\b/, { from });
      await isBack(hub);
      socket.write('{"command":"status"}\n');
      const [line] = (await once(lines, "line")) as [string];
      assert.equal(JSON.parse(line).ok, true, line);
      await server.logs(/EMFILE/, { from });
      assert.deepEqual((await pinger.stop()).lost, []);
    } finally {
      await host.run("prlimit", `--pid=${pid}`, "--nofile=524288:524288");
    }
    const said = server.log.slice(from).filter((one) => /EMFILE/.test(one));
    assert.deepEqual([...new Set(said)], said, "nothing twice");
    socket.destroy();
    assert.equal((await statusOf(server)).tunnels.length, 2);
  });

  it("a program that wants its queue gets none", async () => {
    await assert.rejects(hold(host, "queue", "26992"), /NFQNL_CFG_CMD_BIND: -1/);
  });
});
