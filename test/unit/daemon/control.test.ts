import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { askDaemon } from "../../../src/cli/control-client.ts";
import { type ControlOptions, groupId, serveControl } from "../../../src/daemon/control.ts";
import { createLog } from "../../../src/daemon/log.ts";
import { exitCode, Failure } from "../../../src/net/failure.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "ipipoud-control-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function serve(t: TestContext, path: string, more: Partial<ControlOptions> = {}) {
  const lines: string[] = [];
  const control = await serveControl({
    path,
    log: createLog({
      level: "debug",
      format: "text",
      journal: false,
      write: (line) => lines.push(line),
    }),
    handlers: {
      echo: (request) => request,
      nothing: () => undefined,
      refuse: () => {
        throw new Failure(exitCode.conflict, "it is taken", "take another");
      },
      crash: async () => {
        throw new TypeError("a bug");
      },
      large: () => "x".repeat(5_000_000),
    },
    ...more,
  });
  t.after(() => control.close());
  return { control, lines };
}

/** Sends bytes, hangs up our half, gives all that came back. */
async function raw(path: string, text: string | Buffer): Promise<string> {
  const socket = connect(path);
  socket.end(text);
  socket.on("error", () => {});
  let got = "";
  socket.on("data", (chunk) => {
    got += chunk.toString();
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return got;
}

function failsWith(code: number, message: RegExp) {
  return (error: unknown) =>
    error instanceof Failure && error.exitCode === code && message.test(error.message);
}

test("a request gets its answer, many at once, large ones too", async (t) => {
  const path = join(folder(t), "deep", "control.sock");
  await serve(t, path);
  assert.deepEqual(await askDaemon({ command: "echo", tunnel: "ä" }, { path }), {
    command: "echo",
    tunnel: "ä",
  });
  assert.equal(await askDaemon({ command: "nothing" }, { path }), null);
  assert.deepEqual(await askDaemon({ command: "hello" }, { path }), { pid: process.pid });
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => askDaemon({ command: "large" }, { path })),
  );
  assert.ok(answers.every((answer) => typeof answer === "string" && answer.length === 5_000_000));
});

test("several requests on one connection are answered in order", async (t) => {
  const path = join(folder(t), "control.sock");
  await serve(t, path);
  const requests = Array.from({ length: 100 }, (_, i) => `{"command":"echo","i":${i}}\n`);
  const answers = (await raw(path, requests.join(""))).trim().split("\n");
  assert.deepEqual(
    answers.map((line) => JSON.parse(line).result.i),
    requests.map((_, i) => i),
  );
});

test("failures keep their code, bugs are logged, unknown commands are usage", async (t) => {
  const path = join(folder(t), "control.sock");
  const { lines } = await serve(t, path);
  const ask = (command: string) => askDaemon({ command }, { path });
  await assert.rejects(ask("refuse"), failsWith(5, /^it is taken; take another$/));
  await assert.rejects(ask("crash"), failsWith(1, /^a bug$/));
  assert.match(lines.join(""), /error: a control command failed command=crash .*a bug/);
  await assert.rejects(ask("toString"), failsWith(2, /has no command "toString"/));
});

test("garbage is answered or dropped, and the next client is served", async (t) => {
  const path = join(folder(t), "control.sock");
  await serve(t, path);
  for (const garbage of ["\n", "{\n", "null\n", "[]\n", '{"command":1}\n', "\u0000\u00ff\n"]) {
    assert.match(await raw(path, garbage), /^\{"ok":false,.*a request is a line like/);
  }
  assert.equal(await raw(path, '{"command":"echo"}'), "", "no line break, no request");
  assert.match(await raw(path, Buffer.alloc(70_000, 0x61)), /at most 65536 bytes/);
  // One that goes away in the middle of a large answer.
  const rude = connect(path);
  rude.write('{"command":"large"}\n');
  await once(rude, "data");
  rude.destroy();
  assert.equal(await askDaemon({ command: "nothing" }, { path }), null);
});

test("clients are bounded in number and in idleness", async (t) => {
  const path = join(folder(t), "control.sock");
  await serve(t, path, { maxClients: 2, idle: 100 });
  const idlers = [connect(path), connect(path)];
  await Promise.all(idlers.map((socket) => once(socket, "connect")));
  const ends = idlers.map(async (socket, i) => {
    await once(socket.resume(), "close");
    return i;
  });
  assert.equal(await askDaemon({ command: "nothing" }, { path }), null);
  assert.equal(await Promise.race(ends), 0, "who has been silent longest makes room");
  await Promise.all(ends);
});

test("whoever says more behind a stream's request and hangs up makes room", {
  timeout: 10_000,
}, async (t) => {
  const path = join(folder(t), "control.sock");
  let followers = 0;
  const quiet = () => {
    followers++;
    return () => void followers--;
  };
  await serve(t, path, { streams: { quiet } });
  const more = '{"command":"quiet"}\n'.repeat(20_000);
  assert.equal(await raw(path, more), '{"ok":true,"result":null}\n');
  while (followers > 0) await new Promise((go) => setTimeout(go, 5));
});

test("those that follow leave room for those that ask, and say so", async (t) => {
  const path = join(folder(t), "control.sock");
  const release: (() => void)[] = [];
  await serve(t, path, {
    maxClients: 4,
    streams: { quiet: () => () => undefined },
    handlers: { slow: () => new Promise<void>((go) => release.push(go)), nothing: () => undefined },
  });
  const followers: Socket[] = [];
  t.after(() => followers.forEach((socket) => void socket.destroy()));
  for (let i = 0; i < 3; i++) {
    const socket = connect(path);
    followers.push(socket);
    socket.write('{"command":"quiet"}\n');
    await once(socket, "data");
  }
  assert.match(await raw(path, '{"command":"quiet"}\n'), /"3 follow already: end one of them"/);
  for (let i = 0; i < 10; i++) {
    assert.equal(await askDaemon({ command: "nothing" }, { path }), null);
    followers.push(connect(path));
  }
  const slow = askDaemon({ command: "slow" }, { path });
  while (release.length === 0) await new Promise((go) => setTimeout(go, 5));
  assert.equal(await raw(path, '{"command":"nothing"}\n'), "", "who is being answered stays");
  release[0]?.();
  assert.equal(await slow, null);
  assert.ok(followers.slice(0, 3).every((socket) => !socket.destroyed));
});

test("an answer that takes longer than a client has patience is worth waiting for", async (t) => {
  const path = join(folder(t), "control.sock");
  let done = (): void => {};
  const handlers = {
    work: () => new Promise<string>((resolve) => (done = () => resolve("done"))),
  };
  await serve(t, path, { handlers, beat: 20 });
  const answer = askDaemon({ command: "work" }, { path, patience: 200 });
  await sleep(600);
  done();
  assert.equal(await answer, "done");
});

test("one whose event loop stands still is given up", async (t) => {
  const path = join(folder(t), "control.sock");
  await serve(t, path, { handlers: { work: () => new Promise(() => {}) }, beat: 60_000 });
  const answer = askDaemon({ command: "work" }, { path, patience: 50 });
  await assert.rejects(answer, failsWith(1, /does not answer/));
});

test("the file has mode 0660, and goes with its folder at the end", async (t) => {
  const above = folder(t);
  const path = join(above, "made", "control.sock");
  const { control } = await serve(t, path);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  assert.ok(statSync(path).isSocket());
  await control.close();
  assert.ok(!existsSync(join(above, "made")));
});

test("what a dead daemon left is replaced, a living one is named", async (t) => {
  const path = join(folder(t), "control.sock");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const dying = spawn(process.execPath, ["-e", script]);
  await once(dying.stdout, "data");
  dying.kill("SIGKILL");
  await once(dying, "exit");
  assert.ok(existsSync(path));
  await serve(t, path);
  await assert.rejects(
    serve(t, path),
    failsWith(5, new RegExp(`another ipipoud \\(pid ${process.pid}\\) holds ${path}; stop it`)),
  );
  assert.deepEqual(await askDaemon({ command: "hello" }, { path }), { pid: process.pid });
});

test("a file that is no socket stays, and a path too long is told", async (t) => {
  const above = folder(t);
  const path = join(above, "control.sock");
  writeFileSync(path, "precious");
  await assert.rejects(serve(t, path), failsWith(5, /is there and is no socket; remove it/));
  assert.ok(statSync(path).isFile());
  const long = join(above, "x".repeat(100));
  await assert.rejects(serve(t, long), failsWith(2, /is too long; use at most [0-9]+ bytes/));
  await assert.rejects(serve(t, join(path, "sock")), failsWith(2, /no socket can be made/));
  await assert.rejects(serve(t, "/proc/ipipoud/control.sock"), (e) => e instanceof Failure);
});

test("close leaves another daemon's socket alone", async (t) => {
  const path = join(folder(t), "control.sock");
  const { control } = await serve(t, path);
  rmSync(path);
  await serve(t, path);
  await control.close();
  assert.deepEqual(await askDaemon({ command: "hello" }, { path }), { pid: process.pid });
});

test("the group is looked up by name", async (t) => {
  const file = join(folder(t), "group");
  writeFileSync(file, "root:x:0:\nipipouX:x:7:\nipipou:x:984:alice,bob\n");
  assert.equal(await groupId("ipipou", file), 984);
  assert.equal(await groupId("ipip", file), undefined);
  assert.equal(await groupId("ipipou", "/no/such/file"), undefined);
});

test("the client says why nobody answers", async (t) => {
  const path = join(folder(t), "control.sock");
  const ask = (patience = 1000) => askDaemon({ command: "status" }, { path, patience });
  await assert.rejects(ask(), failsWith(1, /no ipipoud listens on .*; start it/));
  const { createServer } = await import("node:net");
  let answer = "hello, who are you?\n";
  const other = createServer((socket) => socket.resume().write(answer)).listen(path);
  await once(other, "listening");
  await assert.rejects(ask(), failsWith(1, /does not answer as an ipipoud does/));
  answer = "";
  await assert.rejects(ask(50), failsWith(1, /does not answer; is it busy/));
  other.close();
});

test("whoever follows a stream and hangs up makes room, even if nothing happens", async (t) => {
  const path = join(folder(t), "control.sock");
  let followers = 0;
  const quiet = () => {
    followers++;
    return () => void followers--;
  };
  await serve(t, path, { maxClients: 3, streams: { quiet } });
  for (let i = 0; i < 2; i++) {
    const socket = connect(path);
    socket.write('{"command":"quiet"}\n');
    await once(socket, "data");
    socket.destroy();
  }
  assert.match(await raw(path, '{"command":"quiet"}\n'), /^\{"ok":true,"result":null\}\n$/);
  assert.equal(await askDaemon({ command: "nothing" }, { path }), null);
  assert.equal(followers, 0);
});

test("sockets that killed daemons have left beside are removed, and nothing else", async (t) => {
  const path = join(folder(t), "control.sock");
  const beside = (name: string) => join(dirname(path), `.control.sock.${name}`);
  const killed = spawn(process.execPath, [
    "-e",
    `const s = require("node:net").createServer().listen(${JSON.stringify(beside("4711"))}, () => console.log("bound"));`,
  ]);
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  writeFileSync(beside("4712"), "no socket");
  writeFileSync(beside("more"), "another name");
  const living = createServer();
  living.listen(beside("4713"));
  await once(living, "listening");
  t.after(() => living.close());
  assert.ok(existsSync(beside("4711")));
  await serve(t, path);
  assert.ok(!existsSync(beside("4711")));
  for (const name of ["4712", "4713", "more"]) assert.ok(existsSync(beside(name)), name);
});
