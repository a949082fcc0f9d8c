/**
 * A hub of 3,000 peers that prove themselves by tokens. What a roam costs the kernel must not depend on
 * their number, nor may memory; `npm run bench -- size` does the same with 100,000.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { Counted, counting } from "./support/counted.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Injector } from "./support/inject.ts";
import { toServer } from "./support/prover.ts";
import { Topology } from "./support/topology.ts";
import { openQueue, peerOf, statusOf } from "./support/tunnels.ts";

const few = 2;
const many = 3000;
/** MB: about 65 without peers, and less than 3 kB for each. */
const mostMemory = 100;

const token = (number: number): string => `token-of-peer-${number}`;

function hub(count: number): Record<string, unknown> {
  const peers = Array.from({ length: count }, (_, number) => [
    `peer${number}`,
    { token: token(number), allowedIPs: [`10.0.${number >> 8}.${number & 255}/32`] },
  ]);
  const tunnel = {
    listen: "203.0.113.1:10000",
    address: "172.28.0.1/24",
    peers: Object.fromEntries(peers),
  };
  return { queue: openQueue, tunnels: { ipipou0: tunnel } };
}

describe("a hub of 3,000 peers", () => {
  let topology: Topology;
  let daemon: Daemon;
  let injector: Injector;
  before(async () => {
    topology = await Topology.create();
    injector = await Injector.start(topology.internet);
    daemon = await Daemon.prepare(topology.server, hub(few), { environment: counting });
  });
  after(async () => {
    await injector.stop();
    await daemon.remove();
    await topology.remove();
  });

  /** Proves itself from there; resolves when the kernel knows. */
  async function prove(number: number, address: string, port: number): Promise<void> {
    const payload = Buffer.from(token(number));
    await injector.send(toServer({ address, port }, payload));
    await eventually(async () => (await gateways()).includes(`via ${address} `), {
      what: `a nexthop via ${address}`,
    });
  }

  async function gateways(): Promise<string> {
    const shown = await daemon.host.run("ip", "nexthop", "show", "dev", "ipipou0");
    return shown
      .split("\n")
      .filter((line) => line.includes(" via "))
      .join("\n");
  }

  /** Messages to the kernel for a peer that comes, and for its roam. */
  async function messagesOf(number: number): Promise<{ coming: number; roaming: number }> {
    const counted = new Counted(daemon.process);
    const start = await counted.messages();
    await prove(number, "198.51.100.10", 40_001);
    const there = await counted.messages();
    await prove(number, "198.51.100.11", 40_002);
    const roamed = await counted.messages();
    return { coming: there - start, roaming: roamed - there };
  }

  let besideFew = { coming: 0, roaming: 0 };

  it("takes as many messages for a roam as one of two", async () => {
    await daemon.start();
    besideFew = await messagesOf(1);
    assert.equal(await daemon.stop(), 0);
    await daemon.configure(hub(many));
    await daemon.start();
    assert.deepEqual(await messagesOf(many - 1), besideFew);
    assert.ok(besideFew.roaming > 0 && besideFew.roaming < 12, `${besideFew.roaming} messages`);
  });

  it("knows each peer by its own token", async () => {
    await prove(17, "198.51.100.20", 40_017);
    await prove(2048, "198.51.100.21", 42_048);
    const state = await statusOf(daemon);
    assert.equal(peerOf(state, "peer17").endpoint, "198.51.100.20:40017");
    assert.equal(peerOf(state, "peer2048").endpoint, "198.51.100.21:42048");
    assert.equal(peerOf(state, `peer${many - 1}`).endpoint, "198.51.100.11:40002");
    const states = state.tunnels[0]?.peers.map((peer) => peer.state) ?? [];
    assert.equal(states.filter((one) => one === "authenticated").length, 3);
    assert.equal(states.length, many);
    const routes = (await daemon.host.run("ip", "-o", "route", "show")).split("\n");
    assert.equal(routes.filter((line) => / nhid /.test(line)).length, many);
    assert.equal((await gateways()).split("\n").length, 3);
  });

  it("stays small", async () => {
    const status = await readFile(`/proc/${daemon.process.pid}/status`, "utf8");
    const resident = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    assert.ok(resident < mostMemory, `${Math.round(resident)} MB`);
  });
});
