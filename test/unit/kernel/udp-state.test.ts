import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUdpSockets } from "../../../src/kernel/udp-state.ts";

test("/proc/net/udp, which has addresses in the host's byte order", () => {
  const text = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 017100CB:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000000000000000 0
  124: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 0000000000000000 0
  125: 017100CB:2710 026433C6:9C41 01 00000000:00000000 00:00000000 00000000     0        0 18 2 0000000000000000 0
garbage
`;
  const open = { peer: undefined, peerPort: 0 };
  assert.deepEqual(parseUdpSockets(text), [
    { local: "203.0.113.1", port: 10_000, ...open, inode: 4242 },
    { local: undefined, port: 53, ...open, inode: 17 },
    { local: "203.0.113.1", port: 10_000, peer: "198.51.100.2", peerPort: 40_001, inode: 18 },
  ]);
});
