import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEndpoint, sameEndpoint } from "../../../src/net/address.ts";
import { Door } from "../../../src/tunnel/door.ts";
import { Waiting } from "../../../src/tunnel/waiting.ts";
import { buildDatagram, parseDatagram } from "../../../src/wire/datagram.ts";
import { buildKeyProof } from "../../../src/wire/protocol1.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";
import { mutated, random, randomBytes } from "../../support/random.ts";
import { world } from "../../support/tunnel.ts";

const signatures = await loadSignatures();
const NOW = 1_800_000_000_000;
const here = at("203.0.113.1:10000");
const there = at("198.51.100.2:40001");
const seed = Buffer.alloc(32, 1);
let salts = 0;

function packet(to = here, from = there, signer = seed, now = NOW): Buffer {
  const salt = Buffer.alloc(4);
  salt.writeUInt32BE(++salts);
  const secret = Buffer.alloc(0);
  const payload = buildKeyProof({ seed: signer, secret, time: now / 1000, salt }, signatures);
  return buildDatagram({ source: from, destination: to, payload }, 64);
}

/**
 * @param heard There is a dialled peer at `there`, which says this of each packet.
 * @param cost Milliseconds of a verification.
 * @param first Milliseconds that the first takes longer.
 * @param only The one public key for which it is worth the time.
 */
function waiting(
  count = 1,
  heard?: { says: string | undefined },
  {
    cost = 0,
    first = 0,
    only,
  }: { readonly cost?: number; readonly first?: number; readonly only?: Uint8Array } = {},
) {
  const key = (i: number) => signatures.publicKey(Buffer.alloc(32, i + 1));
  const configs = Array.from({ length: count }, (_, i) =>
    peer(`k${i}`, { proof: { kind: "key", publicKey: key(i) } }),
  );
  const parts = world(configuration([tunnel("t", configs)]));
  let address = here;
  let verified = 0;
  const answered: string[] = [];
  const counted = {
    ...signatures,
    verify(...args: Parameters<typeof signatures.verify>) {
      verified++;
      const [, , publicKey] = args;
      if (only !== undefined && Buffer.compare(publicKey, only) !== 0) return false;
      return signatures.verify(...args);
    },
  };
  const receiver = new Waiting(
    {
      doors: () =>
        new Map([
          [
            formatEndpoint(address),
            { tunnel: "t", door: new Door([...parts.peers.all()], counted) },
          ],
        ]),
      tunnels: parts.tunnels,
      emit: parts.emit,
      cpu: () => (verified === 0 ? 0 : first) + verified * cost,
      dialledAt: (_local, endpoint) =>
        heard === undefined || !sameEndpoint(endpoint, there)
          ? undefined
          : { peer: parts.peer("t/k0"), hear: () => heard.says },
      replier: {
        answer: async ({ key }, _request, _from, to) =>
          void answered.push(`${key} ${formatEndpoint(to)}`),
      },
    },
    NOW,
  );
  const move = (to: typeof here): void => {
    address = to;
    receiver.moved();
  };
  const none = { says: undefined as string | undefined };
  return { ...parts, receiver, move, answered, heard: heard ?? none, verified: () => verified };
}

test("a proof opens the tunnel, and is counted", () => {
  const { receiver, events, peer } = waiting();
  receiver.receive(packet(), NOW);
  assert.deepEqual(peer("t/k0").wanted, there);
  assert.deepEqual([receiver.accepted, receiver.refused], [1, 0]);
  assert.deepEqual(
    events.map(({ event }) => event),
    ["authenticated"],
  );
});

test("what proves nothing is counted, and named with tunnel, source and reason", () => {
  const { receiver, events, peer } = waiting();
  receiver.receive(packet(here, there, Buffer.alloc(32, 99)), NOW);
  assert.deepEqual([receiver.accepted, receiver.refused], [0, 1]);
  assert.equal(peer("t/k0").wanted, undefined);
  const [event] = events;
  assert.deepEqual(
    [event?.event, event?.tunnel, event?.peer, event?.endpoint],
    ["refused", "t", null, "198.51.100.2:40001"],
  );
  assert.match(event?.reason ?? "", /wrong key/);
});

test("a good proof from an address where another is already is as good as any", () => {
  const { receiver, peer } = waiting(2);
  receiver.receive(packet(), NOW);
  receiver.receive(packet(here, { ...there, port: 7 }, Buffer.alloc(32, 2)), NOW);
  assert.deepEqual([receiver.accepted, receiver.refused], [2, 0]);
  assert.deepEqual([peer("t/k0").wanted, peer("t/k1").wanted], [there, { ...there, port: 7 }]);
});

test("a proof that is taken is answered, one that is not is not", () => {
  const { receiver, answered } = waiting();
  const good = packet();
  receiver.receive(good, NOW);
  receiver.receive(good, NOW);
  receiver.receive(packet(here, there, Buffer.alloc(32, 99)), NOW);
  assert.deepEqual(answered, ["t/k0 198.51.100.2:40001"]);
});

test("what comes from a peer that is dialled is its answer, a proof, or refused in its name", () => {
  const parts = waiting(1, { says: undefined });
  parts.receiver.receive(packet(here, there, Buffer.alloc(32, 99)), NOW);
  assert.deepEqual([parts.receiver.accepted, parts.receiver.refused, parts.events], [1, 0, []]);
  parts.heard.says = "no answer";
  parts.receiver.receive(packet(here, there, Buffer.alloc(32, 99)), NOW);
  const [event] = parts.events;
  assert.deepEqual([event?.event, event?.peer, event?.reason], ["refused", "k0", "no answer"]);
  parts.receiver.receive(packet(), NOW);
  assert.equal(parts.receiver.accepted, 2, "somebody who is waited for is there now");
});

test("packets for other addresses and ports are nobody's business", () => {
  const { receiver, events } = waiting();
  receiver.receive(packet(at("203.0.113.1:10001")), NOW);
  receiver.receive(packet(at("203.0.113.2:10000")), NOW);
  assert.deepEqual([receiver.accepted, receiver.refused, events], [0, 0, []]);
});

test("our address changes: the door moves with it", () => {
  const { receiver, move } = waiting();
  const next = at("203.0.113.7:10000");
  move(next);
  receiver.receive(packet(here), NOW);
  assert.equal(receiver.accepted, 0);
  receiver.receive(packet(next), NOW);
  assert.equal(receiver.accepted, 1);
});

test("no bytes make it throw, and none but a signer's open anything", () => {
  const { receiver, peer } = waiting(3);
  const chance = random(42);
  const genuine = Array.from({ length: 20 }, () => packet(here, there, Buffer.alloc(32, 99)));
  for (let i = 0; i < 20_000; i++) {
    const bytes =
      i % 4 === 0
        ? randomBytes(chance, chance(120))
        : mutated(chance, genuine[i % 20] ?? Buffer.alloc(0));
    receiver.receive(bytes, NOW + chance(1000));
  }
  for (let length = 0; length < 110; length++)
    receiver.receive(genuine[0]?.subarray(0, length) ?? Buffer.alloc(0), NOW);
  assert.equal(receiver.accepted, 0);
  for (const name of ["k0", "k1", "k2"]) assert.equal(peer(`t/${name}`).wanted, undefined);
});

test("a flood of strangers is verified within the budget, and delays no peer that is known", () => {
  const { receiver, verified, peer, events } = waiting(50);
  receiver.receive(packet(), NOW);
  const before = verified();
  for (let i = 0; i < 200; i++)
    receiver.receive(
      packet(here, at(`192.0.2.${(i % 250) + 1}:${i + 1}`), Buffer.alloc(32, 99)),
      NOW,
    );
  assert.ok(verified() - before <= 2010, `${verified() - before}`);
  assert.match(events.at(-1)?.reason ?? "", /more proofs at once/);
  receiver.receive(packet(here, there, seed, NOW + 1000), NOW);
  assert.equal(receiver.accepted, 2);
  assert.equal(peer("t/k0").lastAuthentication, NOW);
});

/**
 * The most keys on one port, and the client of the last of them asks ten times a second among junk of which each
 * packet is worth a verification for each key. Gives after how many tries it is in.
 */
function besieged(sources: number, perSecond: number): number {
  const mine = Buffer.alloc(32, 256);
  // Nobody else has signed anything: to save time.
  const only = signatures.publicKey(mine);
  const { receiver, verified, peer } = waiting(256, undefined, { only });
  const { payload } = parseDatagram(packet(here, there, Buffer.alloc(32, 299))) ?? assert.fail();
  const before = verified();
  let sent = 0;
  for (let tenth = 0; tenth < 200; tenth++) {
    const now = NOW + tenth * 100;
    for (let i = 0; i < perSecond / 10; i++) {
      const source = sent++ % sources;
      const from = at(`192.${source >> 16}.${(source >> 8) & 255}.${source & 255}:1`);
      const junk = buildDatagram({ source: from, destination: here, payload }, 64);
      receiver.receive(junk, now + (1000 * i) / perSecond);
    }
    // The budgets are used up by now.
    if (tenth < 60) continue;
    receiver.receive(packet(here, at("198.51.100.9:4000"), mine, now), now + 100);
    if (peer("t/k255").wanted === undefined) continue;
    assert.ok(verified() - before <= 2500 * (tenth / 10) + 10_000, `${verified() - before}`);
    return tenth - 59;
  }
  return Infinity;
}

test("junk from ever new addresses keeps nobody out, however late in the list of keys", () => {
  const tries = besieged(2 ** 20, 500);
  assert.ok(tries <= 5, `${tries}`);
});

test("where a verification takes long, fewer are made", () => {
  const rounds = (cost: number): number => {
    const { receiver, verified } = waiting(50, undefined, { cost });
    const { payload } = parseDatagram(packet(here, there, Buffer.alloc(32, 99))) ?? assert.fail();
    for (let i = 0; i < 5000; i++) {
      const source = at(`192.0.2.9:${i + 1}`);
      receiver.receive(buildDatagram({ source, destination: here, payload }, 64), NOW + i);
    }
    return verified();
  };
  const [usual, slow] = [rounds(0.1), rounds(5)];
  assert.ok(usual > 3000 && usual < 4600, `${usual}`);
  assert.ok(slow * 5 < 0.12 * 5000, `${slow * 5} ms of CPU in 5 s`);
});

test("a first verification that takes seconds keeps the next out no more than others", () => {
  const { receiver } = waiting(2, undefined, { cost: 0.1, first: 3000 });
  receiver.receive(packet(), NOW);
  receiver.receive(packet(here, at("198.51.100.7:1"), Buffer.alloc(32, 2)), NOW);
  assert.equal(receiver.accepted, 2);
});

test("nor does junk from some that come back ten times a second", () => {
  const tries = besieged(6, 60);
  assert.ok(tries <= 30, `${tries}`);
});

test("a clock set back stops neither budgets nor proofs", () => {
  const { receiver } = waiting();
  receiver.receive(packet(here, there, seed, NOW), NOW);
  const back = NOW - 120_000;
  receiver.receive(packet(here, at("198.51.100.7:1"), seed, NOW + 1000), back);
  assert.equal(receiver.accepted, 2);
});
