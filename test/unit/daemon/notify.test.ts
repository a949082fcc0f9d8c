import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createLog } from "../../../src/daemon/log.ts";
import { createNotifier, type NotifierOptions } from "../../../src/daemon/notify.ts";

function setUp(
  socket: string | undefined,
  fail = false,
  watchdog: NonNullable<NotifierOptions["watchdog"]> = { interval: undefined, pid: undefined },
) {
  const lines: string[] = [];
  const sent: [string, string][] = [];
  const notifier = createNotifier({
    socket,
    watchdog,
    send: (address, message) => {
      if (fail) throw new Error("ECONNREFUSED");
      sent.push([address, message]);
    },
    log: createLog({ level: "info", format: "text", journal: false, write: (l) => lines.push(l) }),
    monotonic: () => 123n,
  });
  return { notifier, lines, sent };
}

test("without systemd the line `ready` is all", () => {
  for (const socket of [undefined, ""]) {
    const { notifier, lines, sent } = setUp(socket);
    notifier.ready();
    notifier.reloading();
    notifier.status("x");
    notifier.stopping();
    assert.deepEqual(lines, ["ready\n"]);
    assert.deepEqual(sent, []);
  }
});

test("the watchdog hears twice in its time, if it is ours", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    for (const [interval, pid, beats] of [
      ["30000000", undefined, 2],
      ["30000000", String(process.pid), 2],
      ["30000000", "1", 0],
      ["0", undefined, 0],
      [undefined, undefined, 0],
    ] as const) {
      const { notifier, sent } = setUp("@abstract", false, { interval, pid });
      const end = notifier.watch();
      mock.timers.tick(30_000);
      end();
      mock.timers.tick(30_000);
      assert.deepEqual(sent, Array(beats).fill(["@abstract", "WATCHDOG=1"]));
    }
  } finally {
    mock.timers.reset();
  }
});

test("with systemd it is told", () => {
  const { notifier, lines, sent } = setUp("@abstract");
  notifier.ready();
  notifier.reloading();
  notifier.status("2 tunnels\nup");
  notifier.stopping();
  assert.deepEqual(lines, []);
  assert.deepEqual(
    sent.map(([, message]) => message),
    ["READY=1", "RELOADING=1\nMONOTONIC_USEC=123", "STATUS=2 tunnels up", "STOPPING=1"],
  );
  assert.ok(sent.every(([address]) => address === "@abstract"));
});

test("a socket that takes nothing is a warning", () => {
  const { notifier, lines } = setUp("/run/gone", true);
  notifier.ready();
  assert.match(lines[0] ?? "", /^warning: NOTIFY_SOCKET took no message socket=\/run\/gone/);
  for (let beat = 0; beat < 10; beat++) notifier.status("2 tunnels up");
  assert.equal(lines.length, 1, "once");
});
