import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";
import { createLog, isJournal, type LogOptions } from "../../../src/daemon/log.ts";

function written(options: Partial<LogOptions>) {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    journal: false,
    write: (line) => lines.push(line),
    now: () => new Date("2024-05-06T07:08:09.123Z"),
    ...options,
  });
  return { lines, log };
}

test("text: info is the bare message, the others say what they are", () => {
  const { lines, log } = written({});
  log.info("ready");
  log.debug("not at this level");
  log.warning("refused", { tunnel: "hub", peer: "laptop", reason: "its clock is off", again: 3 });
  log.error("gone", { tunnel: "hub", peer: undefined, endpoint: "192.0.2.1:5" });
  log.info("reloaded", { tunnel: null, peer: null });
  assert.deepEqual(lines, [
    "ready\n",
    'warning: hub/laptop: refused reason="its clock is off" again=3\n',
    "error: hub: gone endpoint=192.0.2.1:5\n",
    "reloaded\n",
  ]);
});

test("levels", () => {
  const all = ["error", "warning", "info", "debug"] as const;
  all.forEach((level, i) => {
    const { lines, log } = written({ level });
    for (const each of all) log[each]("x");
    assert.equal(lines.length, i + 1, level);
  });
});

test("JSON is one object a line, whatever is in it", () => {
  const { lines, log } = written({ format: "json" });
  log.warning("a\nb\u007f\u0085\u2028", { tunnel: "t", left: undefined, again: 2 });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "2024-05-06T07:08:09.123Z",
    level: "warning",
    message: "a\nb\u007f\u0085\u2028",
    tunnel: "t",
    again: 2,
  });
});

test("the journal gets priorities", () => {
  const { lines, log } = written({ level: "debug", journal: true });
  log.error("a");
  log.warning("b");
  log.info("c");
  log.debug("d");
  assert.deepEqual(lines, ["<3>error: a\n", "<4>warning: b\n", "<6>c\n", "<7>debug: d\n"]);
});

test("nothing forges a line or drives a terminal", () => {
  const { lines, log } = written({});
  log.info("x\nready\u001b[2J\r", { tunnel: "a\nb", reason: "\u0000\u009b31m" });
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.indexOf("\n"), (lines[0]?.length ?? 0) - 1);
  assert.match(lines[0] ?? "", /^[\x20-\x7e]+\n$/);
});

test("a secret prints as one", () => {
  const { lines, log } = written({});
  log.info(`got ${new Secret(Buffer.from("topsecret"))}`);
  assert.deepEqual(lines, ["got (secret)\n"]);
});

test("the journal's stream is known by device and inode", () => {
  const fd = openSync("/dev/null", "r");
  const { dev, ino } = fstatSync(fd);
  assert.ok(isJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd));
  assert.ok(!isJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, fd));
  assert.ok(!isJournal({}, fd));
  closeSync(fd);
  assert.ok(!isJournal({ JOURNAL_STREAM: "1:2" }, 1 << 20));
});
