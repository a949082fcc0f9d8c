import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerConfig } from "../../../src/config/model.ts";
import { type IpAddress, ipAddress } from "../../../src/net/address.ts";
import { Replier } from "../../../src/tunnel/replier.ts";
import { parseDatagram } from "../../../src/wire/datagram.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";
import { turns, world } from "../../support/tunnel.ts";

const signatures = await loadSignatures();
const here = at("203.0.113.1:10000");
const there = at("198.51.100.2:40001");
const request = Buffer.from("a request");

function replier(over: Partial<PeerConfig> = { replyOnAuth: true }) {
  const parts = world(configuration([tunnel("t", [peer("p", over)])]));
  const net = {
    sent: [] as Buffer[],
    error: undefined as Error | undefined,
    /** Its address, where the gate writes the real one. */
    id: undefined as IpAddress | undefined,
  };
  const made = new Replier({
    signatures,
    emit: parts.emit,
    settled: () => parts.writer.settled(),
    nextHop: (_, to) => ({ ...to, address: net.id ?? to.address }),
    send: async (packet) => {
      if (net.error !== undefined) throw net.error;
      net.sent.push(packet);
    },
  });
  const answer = () => made.answer(parts.peer("t/p"), request, here, there);
  return { ...parts, net, answer };
}

test("from the endpoint that was asked to the one that asked, with the TTL that is configured", async () => {
  const { tunnels, answer, net, peer } = replier({ replyOnAuth: true, authTtl: 7 });
  tunnels.proven(peer("t/p"), there);
  await answer();
  const [packet] = net.sent;
  assert.ok(packet !== undefined);
  assert.equal(packet[8], 7);
  assert.deepEqual(parseDatagram(packet), {
    source: here,
    destination: there,
    payload: Buffer.from(request).reverse(),
  });
});

test("once the tunnel stands, and not before", async () => {
  const { tunnels, answer, net, applier, peer } = replier();
  applier.hold();
  tunnels.proven(peer("t/p"), there);
  const done = answer();
  await turns();
  assert.equal(net.sent.length, 0);
  applier.release();
  await done;
  assert.equal(net.sent.length, 1);
});

test("no word to who has moved on meanwhile, or could not be written", async () => {
  const { tunnels, answer, net, applier, peer } = replier();
  applier.failures = [new Error("no room")];
  tunnels.proven(peer("t/p"), there);
  await answer();
  assert.equal(net.sent.length, 0);
  const moved = replier();
  moved.tunnels.proven(moved.peer("t/p"), at("198.51.100.2:40009"));
  await moved.answer();
  assert.equal(moved.net.sent.length, 0);
});

test("without replyOnAuth there is none", async () => {
  const { tunnels, answer, net, peer } = replier({});
  tunnels.proven(peer("t/p"), there);
  await answer();
  assert.equal(net.sent.length, 0);
});

test("what can't be sent is told once, until it can", async () => {
  const { tunnels, answer, net, events, peer } = replier();
  tunnels.proven(peer("t/p"), there);
  const told = () => events.filter(({ event }) => event === "failed").length;
  net.error = new Error("ENETUNREACH");
  await answer();
  await answer();
  assert.equal(told(), 1);
  assert.match(events.at(-1)?.reason ?? "", /can't be answered: ENETUNREACH/);
  net.error = undefined;
  await answer();
  net.error = new Error("ENETUNREACH");
  await answer();
  assert.equal(told(), 2);
});

test("the answer to a translated peer is addressed to its id, as all that leaves for it", async () => {
  const { tunnels, peer: of, answer, net } = replier();
  net.id = ipAddress("240.0.0.7");
  tunnels.proven(of("t/p"), there);
  await answer();
  assert.deepEqual([...(net.sent[0]?.subarray(16, 20) ?? [])], [240, 0, 0, 7]);
  assert.equal(net.sent[0]?.readUInt16BE(22), there.port);
});
