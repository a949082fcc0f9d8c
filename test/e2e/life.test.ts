/** A daemon's life: its start, readiness, a dry run before and beside it, and an end that leaves nothing. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { type Config, Daemon, type DaemonOptions, mainFile } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { newKeyPair } from "./support/keys.ts";
import {
  clientConfig,
  inner,
  newCredentials,
  serverConfig,
  statusOf,
  tunnel,
} from "./support/pair.ts";
import type { Program } from "./support/program.ts";
import { snapshot } from "./support/snapshot.ts";
import { Topology } from "./support/topology.ts";
import { wholeSnapshot } from "./support/whole.ts";

const credentials = newCredentials();
const other = { publicKey: newKeyPair().publicKey, allowedIPs: ["172.28.0.3/32", "10.7.0.0/16"] };

describe("life of a daemon", () => {
  let topology: Topology;
  /** Server and client before any daemon. */
  let untouched: string[];
  const daemons: Daemon[] = [];
  const programs: Program[] = [];
  before(async () => {
    topology = await Topology.create();
    untouched = await wholeSnapshots();
  });
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop("SIGTERM");
    for (const daemon of daemons.splice(0)) await daemon.remove();
  });
  after(async () => {
    await topology.remove();
  });

  const wholeSnapshots = async (): Promise<string[]> => [
    await wholeSnapshot(topology.server),
    await wholeSnapshot(topology.client),
  ];
  const leftAsItWas = async (): Promise<void> => {
    const [server, client] = await wholeSnapshots();
    assert.equal(server, untouched[0], "server");
    assert.equal(client, untouched[1], "client");
  };
  const prepare = async (host: Host, config: Config, options?: DaemonOptions): Promise<Daemon> => {
    const daemon = await Daemon.prepare(host, config, options);
    daemons.push(daemon);
    return daemon;
  };
  const run = (host: Host, program: string, args: readonly string[]): Program => {
    const started = host.start(program, args);
    programs.push(started);
    return started;
  };
  /** Under strace, which steps aside (-D): the process is the daemon. */
  const traced = (daemon: Daemon, calls: string, args: readonly string[] = []): Program =>
    run(daemon.host, "strace", [
      ...[
        "-D",
        "-f",
        "--seccomp-bpf",
        "-x",
        "-s",
        "64",
        "-o",
        join(daemon.folder, "trace"),
        "-e",
        calls,
      ],
      ...[process.execPath, mainFile, ...args, "--config", daemon.configFile],
    ]);
  const trace = async (daemon: Daemon): Promise<string[]> =>
    (await readFile(join(daemon.folder, "trace"), "utf8")).split("\n");

  it("starts no program from start to stop, through authentication, roam and status; direct tunnels leave the host as it was", async () => {
    const { client, server, nat } = topology;
    const serverDaemon = await prepare(server, serverConfig(credentials));
    const clientDaemon = await prepare(client, clientConfig(credentials));
    const execve = "trace=execve,execveat";
    const serverProgram = traced(serverDaemon, execve);
    const clientProgram = traced(clientDaemon, execve);
    await Promise.all([serverProgram.line(/\bready$/), clientProgram.line(/\bready$/)]);
    await eventually(() => client.reaches(inner.server));
    await serverProgram.line(/authenticated/);
    await nat.changeMapping();
    clientProgram.child.kill("SIGUSR1");
    await serverProgram.line(/roamed/);
    await eventually(() => client.reaches(inner.server));
    for (const daemon of [serverDaemon, clientDaemon]) {
      assert.equal((await statusOf(daemon)).tunnels[0]?.state, "up");
    }
    for (const program of [serverProgram, clientProgram]) {
      assert.equal(await program.stop("SIGTERM"), 0, program.lines.join("\n"));
    }
    await leftAsItWas();
    for (const daemon of [serverDaemon, clientDaemon]) {
      const calls = (await trace(daemon)).filter((line) => /execve/.test(line));
      assert.equal(calls.length, 1, calls.join("\n"));
      assert.match(calls[0] ?? "", /execve\(".*node"/);
    }
  });

  it("leaves the host as it was after SIGTERM: a hub, and a tunnel for 0.0.0.0/0", async () => {
    const { client, server } = topology;
    const serverDaemon = await prepare(server, serverConfig(credentials, { peers: { other } }));
    const everything = { peer: { allowedIPs: ["0.0.0.0/0"] } };
    const clientDaemon = await prepare(client, clientConfig(credentials, everything));
    await Promise.all([serverDaemon.start(), clientDaemon.start()]);
    await eventually(() => client.reaches(inner.server));
    assert.ok(await server.reaches(inner.client));
    assert.deepEqual(await Promise.all([serverDaemon.stop(), clientDaemon.stop()]), [0, 0]);
    await leftAsItWas();
  });

  it("says READY=1 and STOPPING=1 to NOTIFY_SOCKET", async () => {
    const { server } = topology;
    const daemon = await prepare(server, serverConfig(credentials));
    const path = join(daemon.folder, "notify.sock");
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
    const listener = run(server, "/usr/bin/python3", ["-c", script, path]);
    await listener.line(/^bound$/);
    const args = [mainFile, "--config", daemon.configFile];
    const program = server.start(process.execPath, args, { NOTIFY_SOCKET: path });
    programs.push(program);
    await listener.line(/^READY=1$/);
    await isUp(server);
    assert.equal(await program.stop("SIGTERM"), 0);
    await listener.line(/^STOPPING=1$/);
    assert.deepEqual(listener.stdout, ["bound", "READY=1", "STOPPING=1"]);
  });

  it("tells a second daemon who holds the table", async () => {
    const { server } = topology;
    const daemon = await prepare(server, serverConfig(credentials));
    await daemon.start();
    assert.equal(daemon.log.filter((line) => line === "ready").length, 1);
    await isUp(server);
    const beside = await snapshot(server);
    const second = await daemon.cli();
    assert.equal(second.code, 5);
    assert.match(
      second.stderr,
      new RegExp(`^ipipoud: [^\n]*\\(pid ${daemon.process.pid}\\)[^\n]*\n$`),
    );
    assert.equal(await snapshot(server), beside);
    assert.equal((await statusOf(daemon)).tunnels[0]?.state, "up");
  });
});

async function isUp(host: Host): Promise<void> {
  const [link] = JSON.parse(await host.run("ip", "-j", "link", "show", tunnel));
  assert.ok(link.flags.includes("UP"), "ready means up");
}
