/** From what is known to Prometheus' text. Whether it takes that, e2e/metrics.test.ts asks Prometheus itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { catalogue } from "../../../../src/daemon/metrics/catalogue.ts";
import { EventCounts } from "../../../../src/daemon/metrics/event-counts.ts";
import { contentType, expose } from "../../../../src/daemon/metrics/exposition.ts";
import { countStates, type Measurement } from "../../../../src/daemon/metrics/measurement.ts";
import { type ProcessFacts, samplesOf } from "../../../../src/daemon/metrics/samples.ts";
import type { PeerStatus } from "../../../../src/tunnel/status.ts";
import { at, configuration, peer, tunnel } from "../../../support/configuration.ts";
import { world } from "../../../support/tunnel.ts";

const laptop: PeerStatus = {
  name: "laptop",
  state: "authenticated",
  form: "direct",
  endpoint: "198.51.100.2:40001",
  lastAuthentication: "2027-01-15T08:00:00.500Z",
  expires: "2027-01-15T08:05:00.000Z",
  protocol: 1,
  allowedIPs: ["172.28.0.2/32"],
  rxBytes: 5,
  rxPackets: 1,
  txBytes: 7,
  txPackets: 2,
  keepalive: null,
};

const measurement = (peers: readonly PeerStatus[], count = peers.length): Measurement => ({
  tunnels: [
    {
      name: "home",
      interface: "ipipou0",
      state: "up",
      mtu: 1472,
      addresses: ["172.28.0.1/24"],
      listen: { address: "203.0.113.1", port: 10_000, device: null },
      rxBytes: 2 ** 53,
      rxPackets: 2,
      txBytes: 3,
      txPackets: 4,
      peers,
      states: { waiting: 0, connecting: 0, authenticated: count, expired: 0, static: 0 },
    },
  ],
  queue: { received: 10, accepted: 5, refused: 3, dropped: 2 },
});

const facts: ProcessFacts = {
  version: "1.2.3",
  node: "v20.0.0",
  cpu: 1.5,
  residentMemory: 65_000_000,
  startTime: 1_800_000_000,
  openFiles: 30,
  lastReload: { successful: false, at: 1_800_000_001_500 },
  events: new EventCounts().all,
};

async function lines(peers: readonly PeerStatus[], count?: number): Promise<string[]> {
  const page = await expose(samplesOf(measurement(peers, count), facts));
  return page.toString().trim().split("\n");
}

describe("the page", () => {
  it("has each metric of the catalogue, with its help, its type and its labels", async () => {
    const page = await lines([laptop]);
    for (const [name, { type, help, labels }] of Object.entries(catalogue)) {
      const from = page.indexOf(`# HELP ${name} ${help}`);
      assert.ok(from >= 0, name);
      assert.equal(page[from + 1], `# TYPE ${name} ${type}`);
      const sample = page[from + 2] ?? "";
      assert.equal(sample.split(/[{ ]/, 1)[0], name);
      assert.deepEqual(
        [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label),
        labels,
        name,
      );
    }
  });

  it("has the values", async () => {
    const page = await lines([laptop]);
    const of = (start: string) => page.filter((line) => line.startsWith(start));
    assert.deepEqual(of("ipipoud_tunnel_"), [
      'ipipoud_tunnel_info{tunnel="home",interface="ipipou0"} 1',
      'ipipoud_tunnel_up{tunnel="home"} 1',
      'ipipoud_tunnel_mtu_bytes{tunnel="home"} 1472',
      'ipipoud_tunnel_receive_bytes_total{tunnel="home"} 9007199254740992',
      'ipipoud_tunnel_receive_packets_total{tunnel="home"} 2',
      'ipipoud_tunnel_transmit_bytes_total{tunnel="home"} 3',
      'ipipoud_tunnel_transmit_packets_total{tunnel="home"} 4',
      'ipipoud_tunnel_peers{tunnel="home",state="waiting"} 0',
      'ipipoud_tunnel_peers{tunnel="home",state="connecting"} 0',
      'ipipoud_tunnel_peers{tunnel="home",state="authenticated"} 1',
      'ipipoud_tunnel_peers{tunnel="home",state="expired"} 0',
      'ipipoud_tunnel_peers{tunnel="home",state="static"} 0',
    ]);
    assert.deepEqual(of("ipipoud_peer"), [
      'ipipoud_peer_up{tunnel="home",peer="laptop"} 1',
      'ipipoud_peer_last_authentication_timestamp_seconds{tunnel="home",peer="laptop"} 1800000000.5',
      'ipipoud_peer_expiry_timestamp_seconds{tunnel="home",peer="laptop"} 1800000300',
      'ipipoud_peer_receive_bytes_total{tunnel="home",peer="laptop"} 5',
      'ipipoud_peer_transmit_bytes_total{tunnel="home",peer="laptop"} 7',
      "ipipoud_peers_without_series 0",
    ]);
    assert.deepEqual(of("ipipoud_queue_packets_total"), [
      'ipipoud_queue_packets_total{verdict="accepted"} 5',
      'ipipoud_queue_packets_total{verdict="refused"} 3',
      'ipipoud_queue_packets_total{verdict="dropped"} 2',
    ]);
    assert.deepEqual(of("ipipoud_config_"), [
      "ipipoud_config_last_reload_successful 0",
      "ipipoud_config_last_reload_timestamp_seconds 1800000001.5",
    ]);
  });

  it("has no series for what is not there", async () => {
    const absent = { lastAuthentication: null, expires: null, rxBytes: null, txBytes: null };
    const page = await lines([{ ...laptop, ...absent, state: "waiting" }]);
    assert.deepEqual(
      page.filter((line) => /^ipipoud_peer_/.test(line)),
      ['ipipoud_peer_up{tunnel="home",peer="laptop"} 0'],
    );
  });

  it("says how many peers have no series of their own", async () => {
    const page = await lines([], 100_000);
    assert.ok(page.includes("ipipoud_peers_without_series 100000"));
    assert.ok(page.includes('ipipoud_tunnel_peers{tunnel="home",state="authenticated"} 100000'));
    assert.ok(!page.some((line) => line.startsWith("ipipoud_peer_")));
  });

  it("has names as they are, whatever is in them", async () => {
    const page = await lines([{ ...laptop, name: 'a"b\\c} 1' }]);
    assert.ok(page.includes('ipipoud_peer_up{tunnel="home",peer="a\\"b\\\\c} 1"} 1'));
  });

  it("counts every kind of event from 0 on", async () => {
    const events = new EventCounts();
    const event = { tunnel: null, peer: null, endpoint: null, reason: null };
    events.tell({ ...event, event: "refused" });
    events.tell({ ...event, event: "refused" });
    const page = await expose(samplesOf(measurement([]), { ...facts, events: events.all }));
    assert.match(page.toString(), /^ipipoud_events_total\{event="refused"\} 2$/m);
    assert.match(page.toString(), /^ipipoud_events_total\{event="roamed"\} 0$/m);
  });

  it("is in the format that its type says", () => {
    assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
  });
});

describe("countStates", () => {
  it("counts peers as status shows them", () => {
    const config = tunnel("t", [peer("a"), peer("b"), peer("c")]);
    const { peers, tunnels, peer: known } = world(configuration([config]));
    tunnels.proven(known("t/a"), at("198.51.100.2:40001"));
    const counts = countStates(peers.all());
    assert.deepEqual(counts, {
      waiting: 2,
      connecting: 0,
      authenticated: 1,
      expired: 0,
      static: 0,
    });
    tunnels.close();
  });
});
