import assert from "node:assert/strict";
import { test } from "node:test";
import { bySeverity, checkFailure, exitCodeOf, renderCheck } from "../../../src/cli/check-text.ts";
import { colored, plain, wantsColor } from "../../../src/cli/paint.ts";
import { ConfigurationError } from "../../../src/config/problems.ts";
import { exitCode, Failure } from "../../../src/net/failure.ts";

const step = { action: "add", tunnel: "t" } as const;
const blackhole = {
  ...step,
  object: "route",
  what: "blackhole 240.0.0.0/4 metric 4294967295",
} as const;

test("for people: steps, a word about those that nobody expects, findings", () => {
  const steps = [
    blackhole,
    {
      ...step,
      object: "link",
      what: "t type ipip local 192.0.2.1 remote 240.0.0.1 (placeholder)",
    } as const,
    {
      ...step,
      object: "route",
      what: "unreachable 172.28.0.0/24 metric 4294967295",
    } as const,
    {
      ...step,
      object: "fou",
      what: "port 1 local 192.0.2.1 peer 240.0.0.1 (placeholder)",
    } as const,
  ];
  const findings = [{ level: "warning", code: "c", message: "m", mend: "d" } as const];
  const lines = renderCheck({ ok: true, steps, findings }, plain).trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 2), [
    "+ route     blackhole 240.0.0.0/4 metric 4294967295",
    "+ link      t type ipip local 192.0.2.1 remote 240.0.0.1 (placeholder)",
  ]);
  assert.deepEqual(
    lines.slice(4, 8).map((line) => line.split(" ", 2).join(" ")),
    ["(a placeholder", "(the blackhole", "(unreachable routes", "warning: m;"],
  );
  assert.equal(lines[8], "4 to add, 0 to change, 0 to remove; 1 warning");
});

test("nothing is explained that is not there, or that goes", () => {
  const removed = { ...blackhole, action: "remove" } as const;
  assert.equal(
    renderCheck({ ok: true, steps: [removed], findings: [] }, plain),
    "- route     blackhole 240.0.0.0/4 metric 4294967295\n0 to add, 0 to change, 1 to remove\n",
  );
  assert.match(
    renderCheck({ ok: true, steps: [], findings: [] }, plain),
    /^nothing to do[^\n]*\n$/,
  );
});

test("a change shows what was: word by word, or as a whole", () => {
  const change = { action: "change", object: "link", tunnel: "t" } as const;
  const render = (what: string, was: string) =>
    renderCheck({ ok: true, steps: [{ ...change, what, was }], findings: [] }, plain).split("\n");
  assert.equal(render("t mtu 1400", "t mtu 1472")[0], "~ link      t mtu 1472 -> 1400");
  assert.deepEqual(render("t ttl 9 mtu 1400", "t mtu 1400").slice(0, 2), [
    "~ link      t ttl 9 mtu 1400",
    "            was t mtu 1400",
  ]);
});

test("colours for a terminal alone, and for nobody who wants none", () => {
  const steps = [{ ...step, object: "link", what: "t" } as const];
  const text = renderCheck({ ok: true, steps, findings: [] }, colored);
  assert.equal(text.split("\n")[0], "\u001b[32m+ link      t\u001b[0m");
  assert.equal(wantsColor(true, {}), true);
  assert.equal(wantsColor(false, {}), false);
  assert.equal(wantsColor(true, { NO_COLOR: "1" }), false);
  assert.equal(wantsColor(true, { NO_COLOR: "" }), true, "no-color.org: where it is not empty");
  assert.equal(wantsColor(true, { TERM: "dumb" }), false);
});

test("what could not be seen counts where nothing else is wrong", () => {
  const finding = { code: "c", message: "m", mend: "d" };
  const hidden = { ...finding, level: "error", exitCode: exitCode.privilege } as const;
  const conflict = { ...finding, level: "error", exitCode: exitCode.conflict } as const;
  const warned = { ...finding, level: "warning", exitCode: exitCode.usage } as const;
  assert.equal(exitCodeOf([]), 0);
  assert.equal(exitCodeOf([warned]), 0);
  assert.equal(exitCodeOf([warned, hidden]), 3);
  assert.equal(exitCodeOf([hidden, conflict]), 5);
  assert.deepEqual(bySeverity([warned, hidden, conflict]), [hidden, conflict, warned]);
});

test("what stops a dry run is a finding; a bug is none", () => {
  const place = { file: "a.yaml", line: 1, column: 2, where: "x", mend: undefined };
  const error = new ConfigurationError(
    [
      { ...place, what: "wrong", kind: "configuration" },
      { ...place, what: "hidden", mend: "run as root", kind: "privilege" },
    ],
    3,
  );
  assert.deepEqual(checkFailure(error), {
    ok: false,
    steps: [],
    findings: [
      { level: "error", code: "configuration", message: "a.yaml:1:2: wrong (x)", mend: "" },
      {
        level: "error",
        code: "unreadable",
        message: "a.yaml:1:2: hidden (x)",
        mend: "run as root",
      },
      { level: "error", code: "configuration", message: "3 more like these", mend: "" },
    ],
  });
  assert.deepEqual(checkFailure(new Failure(exitCode.kernel, "no", "yes"))?.findings, [
    { level: "error", code: "failure", message: "no", mend: "yes" },
  ]);
  assert.equal(checkFailure(new TypeError("x")), undefined);
});
