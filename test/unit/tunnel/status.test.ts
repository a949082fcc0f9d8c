import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import type { Link } from "../../../src/net/objects.ts";
import { tunnelStatus } from "../../../src/tunnel/status.ts";
import { at, configuration, inner, peer, prefix, tunnel } from "../../support/configuration.ts";
import { world } from "../../support/tunnel.ts";

const link: Link = {
  index: 9,
  name: "t",
  kind: "ipip",
  up: true,
  carrier: true,
  mtu: 1472,
  alias: "ipipoud ipipou/t",
  ipip: undefined,
  statistics: { rxPackets: 1n, txPackets: 2n, rxBytes: 2n ** 53n, txBytes: 4n },
};
const config = (count: number) =>
  tunnel(
    "t",
    Array.from({ length: count }, (_, i) =>
      peer(`p${i}`, { allowedIPs: [prefix(`172.28.0.${i + 2}/32`)] }),
    ),
    { addresses: [inner("172.28.0.1/24")] },
  );

function status(count: number, over: Partial<Parameters<typeof tunnelStatus>[0]> = {}) {
  const parts = world(configuration([config(count)]));
  const facts = {
    tunnel: config(count),
    local: ipAddress("203.0.113.1"),
    port: 10_000,
    device: undefined,
    translated: false,
    link,
    peers: [...parts.peers.all()],
    ...over,
  };
  return { ...parts, of: () => tunnelStatus(facts) };
}

test("a direct tunnel: its device's counters are its peer's", () => {
  const { of, tunnels, peer } = status(1);
  tunnels.proven(peer("t/p0"), at("198.51.100.2:40001"), 1_800_000_000_000);
  assert.deepEqual(of(), {
    name: "t",
    interface: "t",
    state: "up",
    mtu: 1472,
    addresses: ["172.28.0.1/24"],
    listen: { address: "203.0.113.1", port: 10_000, device: null },
    rxBytes: 2 ** 53,
    rxPackets: 1,
    txBytes: 4,
    txPackets: 2,
    peers: [
      {
        name: "p0",
        state: "authenticated",
        form: "direct",
        endpoint: "198.51.100.2:40001",
        lastAuthentication: "2027-01-15T08:00:00.000Z",
        expires: null,
        protocol: 1,
        allowedIPs: ["172.28.0.2/32"],
        rxBytes: 2 ** 53,
        rxPackets: 1,
        txBytes: 4,
        txPackets: 2,
        keepalive: null,
      },
    ],
  });
});

test("a hub's peers have no counters of their own", () => {
  const [first, second] = status(2).of().peers;
  assert.deepEqual(
    [first?.form, first?.state, first?.rxBytes, second?.txBytes],
    ["hub", "waiting", null, null],
  );
  assert.deepEqual(
    [first?.endpoint, first?.lastAuthentication, first?.expires],
    [null, null, null],
  );
});

test("down without a device or with one that is down; degraded without an outer address", () => {
  assert.equal(status(1, { link: undefined }).of().state, "down");
  assert.equal(status(1, { link: undefined }).of().rxBytes, 0);
  assert.equal(status(1, { link: { ...link, up: false } }).of().state, "down");
  const degraded = status(1, { local: ipAddress("240.0.0.9"), device: "wlan0" }).of();
  assert.equal(degraded.state, "degraded");
  assert.deepEqual(degraded.listen, { address: null, port: 10_000, device: "wlan0" });
});

test("status is JSON, and holds no secret", () => {
  const text = JSON.stringify(status(2).of());
  assert.doesNotMatch(text, /secret|publicKey/);
});

test("translated: a peer beside another at one address, and every peer of such a tunnel", () => {
  const { of, tunnels, peer } = status(2);
  tunnels.proven(peer("t/p0"), at("198.51.100.2:40001"));
  tunnels.proven(peer("t/p1"), at("198.51.100.2:40002"));
  const forms = ({ peers }: ReturnType<typeof of>) => peers.map(({ form }) => form);
  assert.deepEqual(forms(of()), ["hub", "translated"]);
  assert.deepEqual(forms(status(2, { translated: true }).of()), ["translated", "translated"]);
});
