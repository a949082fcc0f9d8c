import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { Failure } from "../../../src/net/failure.ts";

const none = { verbosity: 0, configPaths: [] };

function parse(line: string) {
  return parseArguments(line.split(" ").filter((word) => word !== ""));
}

test("the daemon", () => {
  assert.deepEqual(parse(""), { ...none, name: "run" });
  assert.deepEqual(parse("--config a.yaml --config b -vv -v"), {
    name: "run",
    verbosity: 3,
    configPaths: ["a.yaml", "b"],
  });
});

test("the dry run", () => {
  assert.deepEqual(parse("--check"), { ...none, name: "check", json: false });
  assert.deepEqual(parse("--check --json --config a"), {
    name: "check",
    json: true,
    verbosity: 0,
    configPaths: ["a"],
  });
});

test("commands to the running daemon", () => {
  const plain = { ...none, control: undefined };
  const status = { ...plain, name: "status", tunnel: undefined, json: false, watch: undefined };
  assert.deepEqual(parse("status"), status);
  assert.deepEqual(parse("status --watch"), { ...status, watch: 1000 });
  assert.deepEqual(parse("status --watch hub"), { ...status, tunnel: "hub", watch: 1000 });
  assert.deepEqual(parse("status --watch=2.5"), { ...status, watch: 2500 });
  assert.deepEqual(parse("status --watch=500ms"), { ...status, watch: 500 });
  assert.deepEqual(parse("status hub --json --control /s"), {
    ...none,
    name: "status",
    tunnel: "hub",
    json: true,
    watch: undefined,
    control: "/s",
  });
  assert.deepEqual(parse("reauth"), { ...plain, name: "reauth", target: undefined });
  const hub = { tunnel: "hub", peer: undefined };
  assert.deepEqual(parse("reauth hub"), { ...plain, name: "reauth", target: hub });
  const laptop = { tunnel: "hub", peer: "laptop" };
  assert.deepEqual(parse("forget hub/laptop"), { ...plain, name: "forget", target: laptop });
  assert.deepEqual(parse("reload"), { ...plain, name: "reload", confirmWithin: undefined });
  assert.deepEqual(parse("reload --confirm 90s"), {
    ...plain,
    name: "reload",
    confirmWithin: 90_000,
  });
  assert.deepEqual(parse("confirm"), { ...plain, name: "confirm" });
  assert.deepEqual(parse("events --json"), { ...plain, name: "events", json: true });
});

test("what would happen to an address", () => {
  const plain = { ...none, name: "explain", json: false, to: undefined, source: undefined };
  assert.deepEqual(parse("explain 172.28.0.2"), {
    ...{ ...plain, address: "172.28.0.2", port: undefined },
  });
  assert.deepEqual(parse("explain 198.51.100.2:40001 --to hub --source 172.28.0.2 --json"), {
    ...{ ...plain, address: "198.51.100.2", port: 40_001 },
    ...{ to: "hub", source: "172.28.0.2", json: true },
  });
});

test("commands that stand alone", () => {
  for (const name of ["keygen", "pubkey", "schema", "cleanup"] as const) {
    assert.deepEqual(parse(name), { ...none, name });
  }
  for (const line of ["--help", "-h", "status --help"]) assert.equal(parse(line).name, "help");
  for (const line of ["--version", "-V"]) assert.equal(parse(line).name, "version");
});

test("old options stand behind two hyphens, and are not ours", () => {
  assert.deepEqual(parse("import a.conf b.conf"), {
    ...none,
    name: "import",
    files: ["a.conf", "b.conf"],
    args: [],
  });
  assert.deepEqual(parse("import -v -- --server -n 3 -v"), {
    name: "import",
    verbosity: 1,
    configPaths: [],
    files: [],
    args: ["--server", "-n", "3", "-v"],
  });
  assert.deepEqual(parse("status -- hub"), parse("status hub"));
});

test("what makes no sense is a usage error of one line", () => {
  const cases: [string, RegExp][] = [
    ["--confg a", /^unknown option '--confg'; see `ipipoud --help`$/],
    ["--config", /argument missing/],
    ["stats", /^there is no command "stats"/],
    ["constructor", /^there is no command "constructor"/],
    ["run", /^there is no command "run"/],
    ["check", /it is `ipipoud --check`/],
    ["--json", /^--json means nothing without a command/],
    ["keygen --config a", /^--config means nothing with `keygen`/],
    ["status --check", /^--check means nothing with `status`/],
    ["status a b", /does not take "b"/],
    ["keygen x", /does not take "x"/],
    ["reload x", /does not take "x"/],
    ["reload --confirm soon", /^--confirm: "soon" is not a duration; write 60s or 5m$/],
    ["reload --confirm 0s", /^--confirm: "0s" is no time at all; write 60s or 5m$/],
    ["explain", /^`explain` wants an ADDRESS; /],
    ["explain laptop", /^`explain`: "laptop" is no address; write 198.51.100.2$/],
    ["explain 192.0.2.1:x", /is no address/],
    ["explain 2001:db8::1", /^`explain`: 2001:db8::1 is IPv6; tunnels are IPv4/],
    ["explain 192.0.2.1 192.0.2.2", /does not take "192.0.2.2"/],
    ["explain 192.0.2.1 --source x", /^--source: "x" is no address/],
    ["forget hub", /wants TUNNEL\/PEER/],
    ["forget", /wants TUNNEL\/PEER/],
    ["reauth hub/a/b", /wants TUNNEL or TUNNEL\/PEER/],
    ["reauth /a", /wants TUNNEL or TUNNEL\/PEER/],
    ["status --watch=soon", /^--watch: "soon" is not a duration; write --watch=2 \(seconds\)/],
    ["status --watch=0.01", /^--watch: "0.01" is too short a time; /],
    ["events --watch", /^--watch means nothing with `events`/],
    ["cleanup --control a", /^--control means nothing with `cleanup`/],
    ["pubkey hub.key", /does not take "hub.key"; it reads standard input: `ipipoud pubkey < FILE`/],
    [
      "--check a.yaml",
      /^there is no command "a.yaml"; a configuration is named by `--config FILE`$/,
    ],
    ["/etc/ipipou", /named by `--config FILE`/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parse(line),
      (error) => {
        assert.ok(error instanceof Failure, line);
        assert.equal(error.exitCode, 2, line);
        assert.match(error.message, message, line);
        assert.ok(!error.message.includes("\n"));
        return true;
      },
    );
  }
});
