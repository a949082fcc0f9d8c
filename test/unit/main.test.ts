/** The edge itself, as a process: exit codes, one line, pipes that close. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  fchmodSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const main = new URL("../../src/main.js", import.meta.url).pathname;

function call(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8", timeout: 30_000 });
}

test("a failure is one line on stderr and its exit code", () => {
  const { status, stdout, stderr } = call("nonsense");
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^ipipoud: there is no command "nonsense"[^\n]*\n$/);
});

test("in the journal a failure has an error's priority", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-journal-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "stream");
  const stream = openSync(file, "w");
  const { dev, ino } = fstatSync(stream, { bigint: true });
  const env = { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` };
  spawnSync(process.execPath, [main, "nonsense"], { env, stdio: ["ignore", "ignore", stream] });
  closeSync(stream);
  assert.match(readFileSync(file, "utf8"), /^<3>ipipoud: there is no command[^\n]*\n$/);
  // Inherited, but not what we write to.
  const { stderr } = spawnSync(process.execPath, [main, "nonsense"], { env, encoding: "utf8" });
  assert.match(stderr, /^ipipoud: /);
});

test("success is 0, and a large output arrives whole through a pipe", () => {
  const { status, stdout } = call("schema");
  assert.equal(status, 0);
  assert.doesNotThrow(() => JSON.parse(stdout));
});

test("a file that the shell made for all to read gets no key", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ipipoud-keygen-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const keygen = (mode: number) => {
    const file = join(folder, mode.toString(8));
    const out = openSync(file, "w", mode);
    fchmodSync(out, mode);
    const stdio = ["ignore", out, "pipe"] as const;
    const { status } = spawnSync(process.execPath, [main, "keygen"], { stdio: [...stdio] });
    closeSync(out);
    return [status, readFileSync(file, "utf8").length];
  };
  assert.deepEqual(keygen(0o644), [2, 0]);
  assert.deepEqual(keygen(0o602), [2, 0]);
  assert.deepEqual(keygen(0o600), [0, 45]);
  assert.deepEqual(keygen(0o640), [0, 45]);
});

test("whoever stops reading hears no complaint", async () => {
  const child = spawn(process.execPath, [main, "schema"]);
  child.stdout.destroy();
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  assert.equal(complaint, "");
});

test("a command that the terminal interrupts ends by the signal", async () => {
  const child = spawn(process.execPath, [main, "pubkey"]);
  // It waits for its input; the signal finds it there or before.
  setTimeout(() => child.kill("SIGTERM"), 200);
  const [, signal] = await once(child, "close");
  assert.equal(signal, "SIGTERM");
});
