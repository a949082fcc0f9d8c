import assert from "node:assert/strict";
import { test } from "node:test";
import { renderStatus, selectTunnel } from "../../../src/cli/status.ts";
import { Failure } from "../../../src/net/failure.ts";
import type { Status } from "../../../src/tunnel/status.ts";

const now = Date.parse("2024-05-06T12:00:00Z");

const status: Status = {
  tunnels: [
    {
      name: "hub",
      interface: "ipipou0",
      state: "up",
      mtu: 1472,
      addresses: ["172.28.0.1/24"],
      listen: { address: "203.0.113.1", port: 10_000, device: "eth0" },
      rxBytes: 1023,
      rxPackets: 5,
      txBytes: 1_572_864,
      txPackets: 7,
      peers: [
        {
          name: "laptop",
          state: "authenticated",
          form: "hub",
          endpoint: "198.51.100.2:40001",
          lastAuthentication: "2024-05-06T10:58:57Z",
          expires: "2024-05-06T12:01:00Z",
          protocol: 1,
          allowedIPs: ["172.28.0.2/32", "10.7.0.0/16"],
          rxBytes: 0,
          rxPackets: 0,
          txBytes: 1024,
          txPackets: 3,
          keepalive: 25,
        },
        {
          name: "router",
          state: "waiting",
          form: "hub",
          endpoint: null,
          lastAuthentication: null,
          expires: null,
          protocol: 1,
          allowedIPs: [],
          rxBytes: null,
          rxPackets: null,
          txBytes: null,
          txPackets: null,
          keepalive: null,
        },
      ],
    },
    {
      name: "home",
      interface: "home",
      state: "degraded",
      mtu: 1472,
      addresses: [],
      listen: { address: null, port: 7777, device: null },
      rxBytes: 0,
      rxPackets: 0,
      txBytes: 0,
      txPackets: 0,
      peers: [],
    },
  ],
  queue: { received: 1, accepted: 1, refused: 0, dropped: 0 },
};

test("reads like `wg show`", () => {
  assert.equal(
    renderStatus(status, now),
    `interface: ipipou0
  tunnel: hub
  state: up
  listening: 203.0.113.1:10000@eth0
  addresses: 172.28.0.1/24
  mtu: 1472
  transfer: 1023 B received, 1.50 MiB sent

peer: laptop
  endpoint: 198.51.100.2:40001
  state: authenticated (hub, protocol 1)
  allowed ips: 172.28.0.2/32, 10.7.0.0/16
  latest authentication: 1 hour, 1 minute, 3 seconds ago
  expires: in 1 minute
  transfer: 0 B received, 1.00 KiB sent
  keepalive: every 25 seconds

peer: router
  state: waiting (hub, protocol 1)
  allowed ips: (any)

interface: home
  state: degraded
  listening: (no address yet):7777
  mtu: 1472
  transfer: 0 B received, 0 B sent
`,
  );
  assert.equal(renderStatus({ ...status, tunnels: [] }, now), "");
});

test("sizes and times at their edges", () => {
  const [tunnel] = status.tunnels;
  assert.ok(tunnel);
  const [peer] = tunnel.peers;
  assert.ok(peer);
  const line = (change: Partial<typeof peer>) =>
    renderStatus({ ...status, tunnels: [{ ...tunnel, peers: [{ ...peer, ...change }] }] }, now);
  assert.match(line({ rxBytes: 2 ** 50, txBytes: 2 ** 30 }), /1024.00 TiB received, 1.00 GiB sent/);
  assert.match(line({ lastAuthentication: "2024-05-06T12:00:00Z" }), /authentication: now\n/);
  assert.match(line({ lastAuthentication: "2024-05-04T12:00:00Z" }), /: 2 days ago\n/);
  assert.match(line({ expires: "2024-05-06T11:00:00Z" }), /expires: now\n/);
});

test("one tunnel, by its name or its interface's", () => {
  assert.equal(selectTunnel(status, undefined), status);
  for (const name of ["hub", "ipipou0"]) {
    assert.deepEqual(
      selectTunnel(status, name).tunnels.map((tunnel) => tunnel.name),
      ["hub"],
    );
  }
  assert.throws(
    () => selectTunnel(status, "x"),
    (error) =>
      error instanceof Failure &&
      error.message === 'the daemon has no tunnel "x"; it has "hub", "home"',
  );
});

test("a directory says what it has, and what hinders it", () => {
  const [tunnel] = status.tunnels;
  assert.ok(tunnel);
  const line = (directory: NonNullable<typeof tunnel.directory>): string | undefined =>
    /^ +directory: (.*)$/m.exec(
      renderStatus({ ...status, tunnels: [{ ...tunnel, directory }] }, now),
    )?.[1];
  const store = { source: "store /f/", nodes: 12, trouble: null };
  assert.equal(line(store), "store /f/: 12 nodes");
  assert.equal(
    line({ ...store, nodes: null, trouble: "refused" }),
    "store /f/: nothing yet; now: refused",
  );
  assert.doesNotMatch(renderStatus(status, now), /directory/);
});
