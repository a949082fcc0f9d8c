import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCounters, readCounters } from "../../../src/kernel/counters.ts";
import { random } from "../../support/random.ts";

/** cat /proc/net/dev, Linux 6.12. */
const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  145212    1044    0    0    0     0          0         0   145212    1044    0    0    0     0       0          0
ipipou0: 18446744 9007199254 0 0 0 0 0 0 5520 66 1 0 0 0 2 0
 eth0.7: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
`;

test("packets each way, by device", () => {
  assert.deepEqual(
    [...parseCounters(text)],
    [
      ["lo", { received: 1044, sent: 1044 }],
      ["ipipou0", { received: 9_007_199_254, sent: 66 }],
      ["eth0.7", { received: 2, sent: 10 }],
    ],
  );
});

test("this machine's own file", () => {
  const own = readCounters();
  assert.ok(own.has("lo"), [...own.keys()].join());
});

test("no text is too broken to be read", () => {
  const below = random(7);
  for (let i = 0; i < 2000; i++) {
    const from = below(text.length);
    const broken = text.slice(0, from) + "\0: \n9".repeat(below(3)) + text.slice(from + 5);
    for (const { received, sent } of parseCounters(broken).values()) {
      assert.ok(Number.isSafeInteger(received) && Number.isSafeInteger(sent));
    }
  }
});
