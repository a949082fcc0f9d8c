import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { complaintOf } from "../../../src/cli/complain.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import type { Io } from "../../../src/cli/io.ts";
import { run } from "../../../src/cli/run.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";
import { serveControl } from "../../../src/daemon/control.ts";
import { createLog } from "../../../src/daemon/log.ts";
import { exitCode, Failure } from "../../../src/net/failure.ts";

async function call(line: string, io: { input?: string; outIsPublicFile?: boolean } = {}) {
  const result = { out: "", err: "", code: 0 };
  const fake: Io = {
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    read: () => Promise.resolve(io.input ?? ""),
    color: false,
    outIsPublicFile: io.outIsPublicFile ?? false,
    terminal: undefined,
    signals: () => ({ onStop() {}, onReload() {}, onReauth() {} }),
  };
  result.code = await run(line.split(" "), fake);
  return result;
}

test("keys as wg makes them", async () => {
  const made = await call("keygen");
  assert.match(made.out, /^[A-Za-z0-9+/]{43}=\n$/);
  assert.equal(made.err, "");
  assert.equal((await call("pubkey", { input: made.out })).code, 0);
  const known = await call("pubkey", { input: "RuBZkT23na2Q4QH1xfmZCfRgSgPt5s362UPAFbecTso=\n" });
  assert.equal(known.out, "eQYNhD/Xwl6Zaq+z3QXDzNI77x8CEKqY1n5kt9bKeEI=\n");
});

test("keygen writes no key where others may read it", async () => {
  const made = await call("keygen", { outIsPublicFile: true });
  assert.match(
    made.err,
    /^ipipoud: others may read .*; .*\(umask 077; ipipoud keygen > FILE\)`\n$/,
  );
  assert.deepEqual([made.out, made.code], ["", 2]);
});

test("PyNaCl takes our keys, and finds the same public ones", async () => {
  const pairs: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { out } = await call("keygen");
    pairs.push(out.trim(), (await call("pubkey", { input: out })).out.trim());
  }
  const judge = `
import sys
from base64 import b64decode, b64encode
from nacl.signing import SigningKey
words = sys.stdin.read().split()
for seed, public in zip(words[::2], words[1::2]):
    assert b64encode(SigningKey(b64decode(seed, validate=True)).verify_key.encode()).decode() == public
`;
  const options = { input: pairs.join("\n"), encoding: "utf8" } as const;
  const { status, stderr } = spawnSync("/usr/bin/python3", ["-c", judge], options);
  assert.equal(status, 0, `needs the package python3-nacl: ${stderr}`);
});

test("a dry run for programs tells what is wrong with a configuration as JSON", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.yaml");
  writeFileSync(file, "tunnels:\n  t: { mtu: 1 }\n");
  const { out, err, code } = await call(`--check --json --config ${file}`);
  assert.deepEqual([err, code], ["", 2]);
  const result = JSON.parse(out);
  assert.deepEqual([result.ok, result.steps], [false, []]);
  const [finding] = result.findings;
  assert.deepEqual([finding.level, finding.code], ["error", "configuration"]);
  assert.ok(finding.message.startsWith(`${file}:2:13: `));
  assert.equal(finding.mend, "want a whole number, 68 to 65507");
  // For people it stays a line on standard error.
  const text = await call(`--check --config ${file}`);
  assert.deepEqual([text.out, text.code], ["", 2]);
  assert.equal(text.err, `ipipoud: ${finding.message}: ${finding.mend}\n`);
});

test("import warns when others may read the secrets that it writes", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.conf");
  writeFileSync(file, "server\nfou-dev eth0\nauth-token hush\n");
  const secret = await call(`import ${file}`, { outIsPublicFile: true });
  assert.match(secret.out, /token: "hush"/);
  assert.match(secret.err, /^ipipoud: warning: others may read .*\n$/);
  assert.equal((await call(`import ${file}`)).err, "");
  writeFileSync(file, "server\nfou-dev eth0\n");
  assert.equal((await call(`import ${file}`, { outIsPublicFile: true })).err, "");
});

test("import prints nothing where anything is wrong", async () => {
  const { out, err, code } = await call("import -- --server --auth-token hush --fou-port 3");
  assert.deepEqual([out, code], ["", 2]);
  assert.match(err, /^ipipoud: command line: /);
  assert.ok(!err.includes("hush"));
  assert.equal((await call("import")).code, 2);
  assert.match(
    (await call("import /nowhere.conf")).err,
    /^ipipoud: \/nowhere.conf: no such file: /,
  );
});

test("pubkey wants one key of 32 bytes, and shows none of it", async () => {
  const short = Buffer.alloc(31).toString("base64");
  const loose = "RuBZkT23na2Q4QH1xfmZCfRgSgPt5s362UPAFbecTsp=";
  for (const input of ["", "x", short, loose, `${loose}\n${loose}`]) {
    const { code, err, out } = await call("pubkey", { input });
    assert.equal(code, 2);
    assert.equal(out, "");
    assert.match(err, /^ipipoud: standard input holds no private key; .*\n$/);
    assert.ok(!err.includes("RuBZ"));
  }
});

test("help holds every exit code; the version is the package's", async () => {
  const { out } = await call("--help");
  for (const [code, meaning] of exitCodes) assert.ok(out.includes(`  ${code}  ${meaning}\n`));
  assert.deepEqual(
    exitCodes.map(([code]) => code),
    [0, ...Object.values(exitCode)],
  );
  assert.ok(out.split("\n").every((line) => line.length <= 100));
  const file = new URL("../../../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(file, "utf8"));
  assert.equal((await call("--version")).out, `ipipoud ${version}\n`);
});

test("the schema is JSON", async () => {
  const { out, code } = await call("schema");
  assert.equal(code, 0);
  assert.ok("properties" in JSON.parse(out));
});

test("usage errors are one line on stderr and exit code 2", async () => {
  const { code, err, out } = await call("status --nonsense");
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /^ipipoud: [^\n]+\n$/);
});

test("status and reauth ask the daemon", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-run-"));
  const path = join(folder, "control.sock");
  const queue = { received: 0, accepted: 0, refused: 0, dropped: 0 };
  const asked: unknown[] = [];
  const control = await serveControl({
    path,
    log: createLog({ level: "error", format: "text", journal: false, write: () => {} }),
    handlers: { status: () => ({ tunnels: [], queue }), reauth: (request) => asked.push(request) },
  });
  t.after(async () => {
    await control.close();
    rmSync(folder, { recursive: true });
  });
  const json = await call(`status --json --control ${path}`);
  assert.deepEqual(JSON.parse(json.out), { tunnels: [], queue });
  assert.deepEqual(await call(`status --control ${path}`), { out: "", err: "", code: 0 });
  assert.equal((await call(`status x --control ${path}`)).code, 2);
  assert.equal((await call(`reauth hub/laptop --control ${path}`)).code, 0);
  assert.deepEqual(asked, [{ command: "reauth", tunnel: "hub", peer: "laptop" }]);
  const reload = await call(`reload --control ${path}`);
  assert.equal(reload.code, 2);
  assert.match(reload.err, /^ipipoud: the daemon that runs here has no command "reload"\n$/);
  assert.equal((await call(`status --control ${path}.not`)).code, 1);
});

test("events are shown as they come, until the daemon ends", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-run-"));
  const path = join(folder, "control.sock");
  let ended = false;
  const control = await serveControl({
    path,
    log: createLog({ level: "error", format: "text", journal: false, write: () => {} }),
    handlers: {},
    streams: {
      events: (push) => {
        const time = "2026-01-01T00:00:00.000Z";
        const event = { time, event: "refused", tunnel: "hub", peer: null, endpoint: "a:1" };
        push({ ...event, reason: "why" });
        push({ ...event, tunnel: null, endpoint: null, reason: null });
        setImmediate(() => void control.close());
        return () => {
          ended = true;
        };
      },
    },
  });
  t.after(async () => {
    await control.close();
    rmSync(folder, { recursive: true });
  });
  const { out, err, code } = await call(`events --control ${path}`);
  assert.match(out, /^\d\d:\d\d:\d\d hub refused a:1 \(why\)\n\d\d:\d\d:\d\d - refused\n$/);
  assert.equal(code, 1);
  assert.match(err, /has ended/);
  assert.equal(ended, true);
  assert.equal((await call(`events --control ${path}`)).code, 1);
});

test("complaints", () => {
  const failure = new Failure(exitCode.kernel, "no fou", "modprobe fou", { cause: new Error("E") });
  assert.deepEqual(complaintOf(failure, 0), {
    lines: ["ipipoud: no fou; modprobe fou"],
    exitCode: 4,
  });
  assert.match(complaintOf(failure, 1).lines.join("\n"), /because: Error: E\n/);
  const bug = complaintOf(new TypeError("x is\nundefined"), 0);
  assert.deepEqual(bug, { lines: ["ipipoud: x is undefined"], exitCode: 1 });
  assert.ok(complaintOf(new TypeError("x"), 1).lines.length > 1);
  assert.deepEqual(complaintOf("text", 1), { lines: ["ipipoud: text"], exitCode: 1 });
  const problem = { file: "a.yaml", line: 1, column: 2, what: "wrong", where: "", mend: undefined };
  const broken = new ConfigurationError([
    { ...problem, kind: "configuration" },
    { ...problem, line: 3, kind: "privilege" },
  ]);
  assert.deepEqual(complaintOf(broken, 0), {
    lines: ["ipipoud: a.yaml:1:2: wrong", "ipipoud: a.yaml:3:2: wrong"],
    exitCode: 2,
  });
  const unreadable = new ConfigurationError([{ ...problem, kind: "privilege" }]);
  assert.equal(complaintOf(unreadable, 0).exitCode, 3);
});
