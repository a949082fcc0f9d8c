import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { withRates } from "../../../src/cli/rates.ts";
import { renderBlock, renderScreen, watchStatus } from "../../../src/cli/watch.ts";
import { Failure } from "../../../src/net/failure.ts";
import type { PeerStatus, Status } from "../../../src/tunnel/status.ts";

type Counts = Pick<PeerStatus, "rxBytes" | "rxPackets" | "txBytes" | "txPackets">;
const nothing: Counts = { rxBytes: null, rxPackets: null, txBytes: null, txPackets: null };

/** A tunnel whose counters are these, with one peer that is counted and one that is not. */
function status(rxBytes: number, rxPackets: number, names = ["a", "b"]): Status {
  const counts = { rxBytes, rxPackets, txBytes: 0, txPackets: 0 };
  const peer = (name: string, own: Counts): PeerStatus => ({
    ...{ name, state: "authenticated", form: "hub", endpoint: "198.51.100.2:40001" },
    ...{ lastAuthentication: null, expires: null, protocol: 1, allowedIPs: [], keepalive: null },
    ...own,
  });
  return {
    tunnels: [
      {
        ...{ name: "t", interface: "t", state: "up", mtu: 1472, addresses: [] },
        listen: { address: "203.0.113.1", port: 10_000, device: null },
        ...counts,
        peers: names.map((name) => peer(name, name === "a" ? counts : nothing)),
      },
    ],
    queue: { received: 0, accepted: 0, refused: 0, dropped: 0 },
  };
}

const start = Date.parse("2024-05-06T12:00:00Z");

test("rates are what was counted between two looks, over the time between them", () => {
  const first = { status: status(1000, 10), at: start };
  const { interval, time, tunnels } = withRates(
    { status: status(4072, 34), at: start + 1500 },
    first,
  );
  assert.deepEqual([interval, time], [1.5, "2024-05-06T12:00:01.500Z"]);
  const [tunnel] = tunnels;
  const [a, b] = tunnel?.peers ?? [];
  for (const one of [tunnel, a]) {
    assert.deepEqual(
      [one?.rxBytesPerSecond, one?.rxPacketsPerSecond, one?.txBytesPerSecond],
      [2048, 16, 0],
    );
  }
  assert.equal(b?.rxBytesPerSecond, null);
});

test("nothing to compare with, a counter that began again, a clock that stood: no rates", () => {
  const now = { status: status(500, 5), at: start };
  const before = { status: status(1000, 10), at: start - 1000 };
  const other = { status: { ...status(1, 1), tunnels: [] }, at: start - 1000 };
  for (const former of [undefined, before, other, { ...now, status: status(1, 1) }]) {
    const [tunnel] = withRates(now, former).tunnels;
    assert.equal(tunnel?.rxBytesPerSecond, null);
    assert.equal(tunnel?.peers[0]?.rxPacketsPerSecond, null);
  }
  assert.equal(withRates(now, undefined).interval, null);
});

test("people read rates beside what was transferred", () => {
  const now = { status: status(4072, 34), at: start + 1500 };
  const text = renderBlock(withRates(now, { status: status(1000, 10), at: start }), now.at);
  assert.match(text, /^\d\d:00:01\ninterface: t\n/);
  const line = "  rate: 2.00 KiB/s received (16 packets/s), 0 B/s sent (0 packets/s)\n";
  assert.equal(text.split(line).length - 1, 2, text);
  assert.ok(text.endsWith("\n\n"), "blocks are told apart");
  assert.doesNotMatch(
    renderBlock(withRates(now, undefined), now.at),
    /rate:/,
    "the first one has none",
  );
});

test("a terminal is drawn over, and not scrolled", () => {
  const now = { status: status(1, 1), at: start };
  const rated = withRates(now, undefined);
  const whole = renderScreen(rated, now.at, { rows: 100 });
  assert.ok(whole.startsWith("\x1b[H"));
  assert.ok(whole.endsWith("\x1b[J"));
  const few = renderScreen(rated, now.at, { rows: 5 });
  assert.equal(few.split("\n").length, 5);
  assert.match(few, /… \d+ more lines \(name a tunnel\)/);
});

test("looks again and again until it is stopped, and ends with the daemon", async () => {
  const seen: (number | null)[] = [];
  let stop: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    stop = resolve;
  });
  await watchStatus({
    ask: () => Promise.resolve(status(1, 1)),
    interval: 1,
    show: ({ interval }) => {
      seen.push(interval);
      if (seen.length === 3) stop();
    },
    stop: end,
  });
  assert.equal(seen.length, 3);
  assert.deepEqual(
    seen.map((interval) => interval === null),
    [true, false, false],
  );
  const gone = new Failure(1, "no ipipoud listens");
  await assert.rejects(
    watchStatus({
      ask: () => Promise.reject(gone),
      interval: 1,
      show: () => assert.fail(),
      stop: new Promise(() => {}),
    }),
    gone,
  );
});

/** As main.ts begins. In a process of its own: V8's flags are everybody's. */
const watching = (module: string): string => `
  import { setFlagsFromString } from "node:v8";
  setFlagsFromString("--heap-growing-percent=3000");
  const { watchStatus } = await import(${JSON.stringify(module)});
  const peer = (i) => ({ name: "p" + i, endpoint: "198.51.100.2:" + i, state: "authenticated", rxBytes: i });
  const answer = JSON.stringify({ tunnels: [{ name: "hub", peers: Array.from({ length: 5000 }, (_, i) => peer(i)) }] });
  let [rounds, most, stop] = [0, 0];
  await watchStatus({
    ask: async () => JSON.parse(answer),
    interval: 0,
    show: (status) => {
      JSON.stringify(status);
      most = Math.max(most, process.memoryUsage().heapTotal);
      if (++rounds === 200) stop();
    },
    stop: new Promise((resolve) => { stop = resolve; }),
  });
  console.log(most);
`;

test("what is watched for days stays small, whatever main.ts told the heap", () => {
  const module = new URL("../../../src/cli/watch.js", import.meta.url).href;
  const args = ["--input-type=module", "--eval", watching(module)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const most = Number(stdout) / 2 ** 20;
  assert.ok(most > 0 && most < 200, `${most} MB of heap; ${stderr}`);
});
