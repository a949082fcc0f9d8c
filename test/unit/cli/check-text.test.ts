import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFailure, renderCheck } from "../../../src/cli/check-text.ts";
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
  const lines = renderCheck({ ok: true, steps, findings }).trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 2), [
    "+ route     blackhole 240.0.0.0/4 metric 4294967295",
    "+ link      t type ipip local 192.0.2.1 remote 240.0.0.1 (placeholder)",
  ]);
  assert.deepEqual(
    lines.slice(4).map((line) => line.split(" ", 3).join(" ")),
    ["note: a placeholder", "note: the blackhole", "note: unreachable routes", "warning: m; d"],
  );
});

test("nothing is explained that is not there, or that goes", () => {
  const removed = { ...blackhole, action: "remove" } as const;
  assert.equal(
    renderCheck({ ok: true, steps: [removed], findings: [] }),
    "- route     blackhole 240.0.0.0/4 metric 4294967295\n",
  );
  assert.match(renderCheck({ ok: true, steps: [], findings: [] }), /^nothing to do[^\n]*\n$/);
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
