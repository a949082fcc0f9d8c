import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Namespace } from "../support/netns.ts";
import type { Report } from "./queue-worker.ts";

const ruleset = `
table inet t {
  chain c {
    type filter hook prerouting priority -310;
    udp dport 10000 queue num 5
  }
}
`;

const odd = [1, 3, 5, 7, 9, 999];

describe("the packet queue", () => {
  let ns: Namespace;
  let report: Report;

  before(async () => {
    ns = await Namespace.create();
    ns.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");
    ns.run("sh", "-c", `echo "$1" | nft -f -`, "sh", ruleset);
    report = (await ns.script(new URL("./queue-worker.js", import.meta.url))) as Report;
  });
  after(() => ns.close());

  for (const family of ["ipv4", "ipv6"] as const) {
    test(`${family}: matching packets come out, others are dropped, verdicts hold`, () => {
      const { state, seen, errors, got, counters, waiting, after: end } = report[family];
      assert.deepEqual(state, { waiting: 0, mode: 2, range: 512, dropped: 0 });
      assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 999]);
      assert.deepEqual(got, odd);
      assert.deepEqual(errors, []);
      assert.deepEqual(counters, { received: 23, rejected: 12, delivered: 11, malformed: 0 });
      assert.equal(waiting, 0);
      assert.equal(end, undefined, "close() gives the queue back");
    });
  }

  test("a queue that another socket holds is EPERM", () => {
    assert.deepEqual(report.exclusive.refused, {
      message: "EPERM: Operation not permitted, bind queue 5",
      code: "EPERM",
      syscall: "bind queue 5",
    });
    assert.equal(report.exclusive.closed?.code, "EBADF");
  });

  test("verdicts for packets that are gone are nothing, others than drop and accept are refused", () => {
    assert.deepEqual(report.oddVerdicts.errors, []);
    assert.match(report.oddVerdicts.stolen ?? "", /NF_DROP 0 or NF_ACCEPT 1/);
  });

  test("a callback may close, and what one throws is an uncaught exception", () => {
    assert.equal(report.callbacks.bursts, 1);
    assert.equal(report.callbacks.uncaught, "from the callback");
  });

  test("a flood of junk starves neither timers nor the queue, and leaves no packet undecided", (t) => {
    const { ticks, seen, errors, counters, dropped, microseconds } = report.flood;
    const { received, rejected, delivered, malformed } = counters;
    t.diagnostic(`${microseconds.toFixed(1)} µs of CPU a packet, ${dropped} of 20000 not queued`);
    assert.ok(ticks > 0, "timers ran");
    assert.ok(seen > 0, "good packets came through");
    assert.deepEqual(errors, []);
    assert.equal(malformed, 0);
    assert.equal(received, rejected + delivered);
    assert.ok(rejected > 0 && rejected <= 20_000);
  });

  test("what nobody decides stays within maxLength", () => {
    assert.deepEqual(report.undecided, { waiting: 16, dropped: 34 });
  });
});
