/**
 * What was signed counts once: not again from the same endpoint nor from another, not after a restart nor a crash,
 * and whatever the clocks do. Who has a right clock again is let in again.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { WallClock } from "./support/clock.ts";
import { Daemon } from "./support/daemon.ts";
import { eventually } from "./support/eventually.ts";
import { Injector } from "./support/inject.ts";
import { type From, Prover, toServer } from "./support/prover.ts";
import { Topology } from "./support/topology.ts";
import {
  openQueue,
  type Party,
  type PeerState,
  party,
  peerOf,
  statusOf,
  waitingTunnel,
} from "./support/tunnels.ts";

describe("replay", () => {
  const strict = party(0);
  const window = party(1);
  const prover = new Prover();
  /** What a key has signed, and where it came from. */
  interface Packet {
    readonly one: Party;
    readonly payload: Buffer;
    readonly from: From;
  }
  /** All of it that was taken once. */
  const captured: Packet[] = [];
  let topology: Topology;
  let injector: Injector;
  let clock: WallClock;
  let server: Daemon;
  let places = 0;

  before(async () => {
    topology = await Topology.create();
    clock = await WallClock.create();
    injector = await Injector.start(await topology.addStranger());
    const tunnel = waitingTunnel([strict, window], { peer: { authLifetime: "1h" } });
    const peers = tunnel["peers"] as Record<string, object>;
    peers[window.name] = { ...peers[window.name], replay: "window" };
    const config = { queue: openQueue, tunnels: { ipipou0: tunnel } };
    const { environment } = clock;
    server = await Daemon.start(topology.server, config, { environment });
  });
  after(async () => {
    await server.remove();
    await injector.stop();
    await clock.remove();
    await topology.remove();
  });

  const somewhere = (): From => ({ address: `198.51.100.${100 + ++places}`, port: 4000 });
  const signed = (one: Party, ahead = 0): Packet => ({
    ...{ one, payload: prover.proof(one, ahead), from: somewhere() },
  });

  async function queue(): Promise<{ accepted: number; refused: number }> {
    return (await statusOf(server)).queue;
  }

  /** Sends them in this order; gives how many were taken. */
  async function taken(packets: readonly Packet[]): Promise<number> {
    const before = await queue();
    await injector.sendAll(packets.map(({ payload, from }) => toServer(from, payload)));
    const { count } = await eventually(async () => {
      const { accepted, refused } = await queue();
      const judged = accepted + refused - before.accepted - before.refused;
      return judged === packets.length ? { count: accepted - before.accepted } : undefined;
    });
    const all = count === packets.length;
    const fresh = packets.filter(
      (packet) => !captured.some(({ payload }) => payload === packet.payload),
    );
    if (all) captured.push(...fresh);
    return count;
  }

  async function both(): Promise<PeerState[]> {
    const state = await statusOf(server);
    return [strict, window].map(({ name }) => peerOf(state, name));
  }

  /** Everything once more, from where it came and from elsewhere: nothing moves, and nothing lives longer. */
  async function changesNothing(): Promise<void> {
    const before = await both();
    const elsewhere = captured.map((packet) => ({ ...packet, from: somewhere() }));
    assert.equal(await taken([...captured, ...elsewhere]), 0);
    assert.deepEqual(await both(), before);
  }

  it("takes what is new, late ones within the window only, and nothing twice", async () => {
    const overtaken = signed(strict, -1);
    assert.equal(await taken([signed(strict), signed(strict), signed(strict, 1)]), 3);
    assert.equal(await taken([overtaken]), 0, "overtaken");
    const late = [0, 2, 4, 1, 3].map((ahead) => signed(window, ahead));
    assert.equal(await taken(late), 5, "reordered");
    for (const { state } of await both()) assert.equal(state, "authenticated");
    await changesNothing();
  });

  it("nor after a crash", async () => {
    const before = await both();
    await server.kill();
    await server.start();
    for (const [i, { endpoint, lastAuthentication }] of (await both()).entries()) {
      assert.equal(endpoint, before[i]?.endpoint);
      const [was, is] = [before[i]?.lastAuthentication, lastAuthentication].map((time) =>
        Date.parse(time ?? ""),
      );
      assert.ok(Math.abs(Number(is) - Number(was)) < 1000, `${lastAuthentication}`);
    }
    await changesNothing();
  });

  it("nor after a stop, which forgets where they were", async () => {
    assert.equal(await server.stop(), 0);
    await server.start();
    for (const { state } of await both()) assert.equal(state, "waiting");
    await changesNothing();
    assert.equal(await taken([signed(strict, 5), signed(window, 5)]), 2);
  });

  it("clocks that jump, here or there, lock nobody out for good", async () => {
    assert.equal(await taken([signed(strict, 10 * 365 * 86_400)]), 0, "theirs, by ten years");
    assert.equal(await taken([signed(strict, 6), signed(window, 6)]), 2);
    // Further than is allowed, and not so far that the gate drops most of it unseen (steps of 18 hours).
    for (const jump of [400, -400]) {
      await clock.set(jump);
      assert.equal(await taken([signed(strict, 7), signed(window, 7)]), 0, `ours, by ${jump} s`);
      await changesNothing();
      await clock.set(0);
      const ahead = jump > 0 ? 8 : 9;
      assert.equal(await taken([signed(strict, ahead), signed(window, ahead)]), 2, "and back");
    }
    // Both within what is allowed, and theirs is mended then: it waits until it is that time, or is forgotten.
    assert.equal(await taken([signed(strict, 200)]), 1);
    assert.equal(await taken([signed(strict, 10)]), 0);
    assert.match(await server.logs(/a clock that was set back/), /client0/);
    await clock.set(201);
    assert.equal(await taken([signed(strict, 201)]), 1);
    await changesNothing();
  });
});
