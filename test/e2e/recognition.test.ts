/**
 * Every authentication is recognised as one, whatever its signature looks like: one in 16 begins like an
 * IPv4 header and could be taken for data.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import type { Host } from "./support/host.ts";
import { Injector } from "./support/inject.ts";
import { type From, Prover } from "./support/prover.ts";
import { Topology } from "./support/topology.ts";
import {
  openQueue,
  type Party,
  party,
  peerOf,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

/**
 * So many from one endpoint, then so many more from another one each; those slowly, as newcomers have but a
 * small part of the processor.
 */
const fromOne = { times: 960, pause: 0.003 };
const fromEach = { times: 40, pause: 0.1 };

interface Form {
  readonly tunnel: string;
  readonly port: number;
  readonly parties: readonly Party[];
  readonly allowedIPs?: readonly string[];
}

const forms: Readonly<Record<"direct" | "hub" | "open", Form>> = {
  direct: { tunnel: "ipipou0", port: 10_000, parties: [party(0)] },
  hub: { tunnel: "ipipou1", port: 10_001, parties: [party(1), party(2), party(3)] },
  open: { tunnel: "ipipou2", port: 10_002, parties: [party(4)], allowedIPs: ["0.0.0.0/0"] },
};

/** Addresses and ports that lead back to nobody, another one each time. */
const anywhere = (): From => ({
  address: `198.18.${randomInt(256)}.${randomInt(1, 255)}`,
  port: randomInt(1024, 65_536),
});

describe("recognition", () => {
  let topology: Topology;
  let stranger: Host;
  let injector: Injector;
  let server: Daemon;
  let proven = 0;
  const prover = new Prover();
  before(async () => {
    topology = await Topology.create();
    stranger = await topology.addStranger();
    injector = await Injector.start(stranger);
    const tunnels = Object.values(forms).map(({ tunnel, parties, ...options }, i) => {
      const address = `172.28.${i}.1/32`;
      return [tunnel, waitingTunnel(parties, { ...options, address })] as const;
    });
    const config = { queue: openQueue, tunnels: Object.fromEntries(tunnels) };
    server = await Daemon.start(topology.server, config);
  });
  after(async () => {
    await server.remove();
    await injector.stop();
    await topology.remove();
  });

  /** Sends them all; each must be taken, and the peer be where the last one came from. */
  async function recognised(
    { tunnel, port, parties }: Form,
    from: () => From,
    { times, pause }: typeof fromOne,
  ): Promise<From> {
    const one = parties.at(-1) ?? assert.fail();
    let last = from();
    const packets = Array.from({ length: times }, () => {
      last = from();
      return prover.packet(one, last, port);
    });
    const likeIpv4 = packets.filter((packet) => ((packet[28] ?? 0) & 0xf0) === 0x40).length;
    assert.ok(times < 500 || likeIpv4 > 5, `${likeIpv4} signatures begin like an IPv4 header`);
    await injector.sendAll(packets, { pause });
    proven += times;
    const taken = async () => {
      const state = await statusOf(server);
      const { accepted, refused } = state.queue;
      return accepted + refused >= proven ? state : undefined;
    };
    const state = await eventually(taken).catch(() => statusOf(server));
    const { received, dropped, accepted, refused } = state.queue;
    const all = { received: proven, accepted: proven, refused: 0, dropped: 0 };
    assert.deepEqual({ received, accepted, refused, dropped }, all);
    const peer = peerOf(state, one.name, tunnel);
    assert.equal(peer.endpoint, `${last.address}:${last.port}`);
    assert.ok(Date.now() - Date.parse(peer.lastAuthentication ?? "") < 30_000);
    return last;
  }

  async function remoteOf(device: string): Promise<string> {
    const shown = await topology.server.run("ip", "-d", "-j", "link", "show", device);
    return JSON.parse(shown)[0].linkinfo.info_data.remote;
  }

  const known = (): From => ({ address: stranger.address, port: 5000 });

  it("of 1,000 on a direct tunnel, from a known and from new endpoints", async () => {
    await recognised(forms.direct, known, fromOne);
    const { address } = await recognised(forms.direct, anywhere, fromEach);
    await eventually(async () => (await remoteOf("ipipou0")) === address);
  });

  it("of 1,000 on a hub, from a known and from new endpoints", async () => {
    await recognised(forms.hub, known, fromOne);
    const { address } = await recognised(forms.hub, anywhere, fromEach);
    const via = new RegExp(`via ${address} dev ipipou1 `);
    await eventually(async () => via.test(await topology.server.run("ip", "nexthop")));
  });

  it("of 1,000 of a peer with allowedIPs 0.0.0.0/0, from a known and from new endpoints", async () => {
    await recognised(forms.open, known, fromOne);
    const { address } = await recognised(forms.open, anywhere, fromEach);
    await eventually(async () => (await remoteOf("ipipou2")) === address);
  });
});
