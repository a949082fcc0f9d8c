import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../../src/daemon/log.ts";
import { Repeated } from "../../../src/daemon/repeated.ts";

function setUp(maxKeys: number) {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    journal: false,
    write: (line) => lines.push(line.trimEnd()),
  });
  return { lines, repeated: new Repeated(log, { interval: 60_000, maxKeys }) };
}

test("the first is logged, the rest is summed up after the interval", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { lines, repeated } = setUp(10);
  for (let i = 0; i < 5; i++) repeated.warning("a", "refused", { endpoint: "192.0.2.1" });
  repeated.warning("b", "refused", { endpoint: "192.0.2.2" });
  const first = ["warning: refused endpoint=192.0.2.1", "warning: refused endpoint=192.0.2.2"];
  assert.deepEqual(lines, first);
  t.mock.timers.tick(59_999);
  assert.deepEqual(lines, first);
  t.mock.timers.tick(1);
  assert.deepEqual(lines.slice(2), ["warning: refused endpoint=192.0.2.1 again=4"]);
  repeated.warning("a", "refused", { endpoint: "192.0.2.1" });
  assert.equal(lines.length, 4, "a new interval begins with a line of its own");
  t.mock.timers.tick(60_000);
  assert.equal(lines.length, 4);
});

test("a crowd of keys is summed up together", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { lines, repeated } = setUp(3);
  for (let i = 0; i < 10_000; i++) repeated.warning(`${i}`, "refused", { from: i });
  assert.equal(lines.length, 3);
  t.mock.timers.tick(60_000);
  assert.deepEqual(lines.slice(3), ["warning: refusals from others again=9997"]);
});

test("flush writes what is open", () => {
  const { lines, repeated } = setUp(3);
  repeated.warning("a", "refused");
  repeated.warning("a", "refused");
  repeated.flush();
  repeated.flush();
  assert.deepEqual(lines, ["warning: refused", "warning: refused again=1"]);
});
