import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { stateOf } from "../../../src/tunnel/peers.ts";
import { at, configuration, dialled, listen, peer, tunnel } from "../../support/configuration.ts";
import { turns, world } from "../../support/tunnel.ts";

const HOUR = 3_600_000;
const X = at("198.51.100.2:40001");
const Y = at("198.51.100.9:40002");

const hub = (over: Parameters<typeof peer>[1] = {}) =>
  world(configuration([tunnel("h", [peer("a", over), peer("b", over)])]));

function withTimers(body: () => Promise<void>): () => Promise<void> {
  return async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
    try {
      await body();
    } finally {
      mock.timers.reset();
    }
  };
}

test("a proof, a refresh, a roam", async () => {
  const { tunnels, events, peer, peers, applier, writer } = hub();
  const a = peer("h/a");
  assert.equal(stateOf(a), "waiting");
  assert.equal(tunnels.proven(a, X, 1000), true);
  assert.equal(stateOf(a), "authenticated");
  assert.equal(a.lastAuthentication, 1000);
  assert.equal(tunnels.proven(a, { ...X }, 2000), true);
  await writer.settled();
  assert.equal(applier.moves.length, 1, "without a lifetime a refresh writes nothing");
  tunnels.proven(a, Y, 3000);
  await writer.settled();
  assert.deepEqual(
    events.map((e) => [e.event, e.endpoint, e.reason]),
    [
      ["authenticated", "198.51.100.2:40001", null],
      ["roamed", "198.51.100.9:40002", "from 198.51.100.2:40001"],
    ],
  );
  assert.equal(peers.holder("203.0.113.1" as typeof X.address, X.address), undefined);
  assert.equal(applier.moves[1]?.[0]?.before?.endpoint.port, 40_001);
});

test("a second peer behind one address is refused, with one event for the pair, and the holder stays", () => {
  const { tunnels, events, peer } = hub();
  tunnels.proven(peer("h/a"), X);
  for (let i = 0; i < 5; i++)
    assert.equal(tunnels.proven(peer("h/b"), { ...X, port: i + 1 }), false);
  assert.deepEqual(
    events.map(({ event, peer: who }) => [event, who]),
    [
      ["authenticated", "a"],
      ["refused", "b"],
    ],
  );
  assert.match(events[1]?.reason ?? "", /198\.51\.100\.2 is held by h\/a/);
  assert.equal(peer("h/b").wanted, undefined);
  assert.equal(peer("h/b").lastAuthentication, undefined);
  assert.equal(peer("h/a").wanted, X);
  tunnels.proven(peer("h/a"), Y);
  assert.equal(tunnels.proven(peer("h/b"), X), true, "free again");
});

test("a refused peer keeps the place that it had", () => {
  const { tunnels, peer } = hub();
  tunnels.proven(peer("h/a"), X);
  tunnels.proven(peer("h/b"), Y);
  assert.equal(tunnels.proven(peer("h/b"), { ...X, port: 5 }), false);
  assert.equal(peer("h/b").wanted, Y);
  assert.equal(tunnels.proven(peer("h/a"), { ...Y, port: 5 }), false, "and holds it");
});

test("tunnels on different outer addresses don't get in each other's way", () => {
  const { tunnels, peer } = world(
    configuration([
      tunnel("a", [peer_("p")], { listen: listen("203.0.113.1", 1) }),
      tunnel("b", [peer_("p")], { listen: listen("203.0.113.2", 1) }),
      tunnel("c", [peer_("p")], { listen: listen("203.0.113.2", 2) }),
    ]),
  );
  assert.equal(tunnels.proven(peer("a/p"), X), true);
  assert.equal(tunnels.proven(peer("b/p"), X), true);
  assert.equal(tunnels.proven(peer("c/p"), X), false);
});

const peer_ = peer;

test(
  "expiry: when the lifetime is over, not before; a refresh starts it anew",
  withTimers(async () => {
    const { tunnels, events, peer, applier } = hub({ authLifetime: 60_000 });
    const a = peer("h/a");
    tunnels.proven(a, X);
    assert.equal(a.expires, Date.now() + 60_000);
    await turns();
    mock.timers.tick(50_000);
    tunnels.proven(a, X);
    await turns();
    assert.equal(applier.moves.length, 2, "a refresh is written");
    mock.timers.tick(59_999);
    assert.equal(stateOf(a), "authenticated");
    mock.timers.tick(1);
    assert.equal(stateOf(a), "expired");
    assert.equal(a.wanted, undefined);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["authenticated", "expired"],
    );
    await turns();
    assert.equal(applier.moves.at(-1)?.[0]?.after, undefined);
    assert.equal(tunnels.proven(peer("h/b"), { ...X, port: 9 }), true, "its place is free");
    tunnels.proven(a, Y);
    assert.equal(stateOf(a), "authenticated");
    tunnels.close();
  }),
);

test(
  "lifetimes longer than a timer can be are slept in pieces",
  withTimers(async () => {
    const { tunnels, peer } = hub({ authLifetime: 1000 * HOUR });
    tunnels.proven(peer("h/a"), X);
    mock.timers.tick(596 * HOUR);
    assert.notEqual(peer("h/a").wanted, undefined);
    for (let hour = 596; hour < 1001; hour++) mock.timers.tick(HOUR);
    assert.equal(stateOf(peer("h/a")), "expired");
  }),
);

test(
  "forget: the peer must prove itself anew, and no timer of before strikes later",
  withTimers(async () => {
    const { tunnels, events, peer, applier } = hub({ authLifetime: 60_000 });
    const a = peer("h/a");
    tunnels.proven(a, X);
    a.mark = { floor: 5, seen: [] };
    mock.timers.tick(30_000);
    tunnels.forget(a);
    assert.deepEqual(
      [a.wanted, a.mark, a.expires, a.lastAuthentication, stateOf(a)],
      [undefined, undefined, undefined, undefined, "waiting"],
    );
    await turns();
    assert.equal(applier.moves.at(-1)?.[0]?.after, undefined);
    mock.timers.tick(HOUR);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["authenticated"],
    );
    tunnels.proven(a, X);
    assert.equal(events.length, 2);
    tunnels.close();
  }),
);

test(
  "adopting what a dead daemon left: in place at once, without an event, for the time that is left",
  withTimers(async () => {
    const { tunnels, events, peer, applier } = hub({ authLifetime: 60_000 });
    const a = peer("h/a");
    assert.equal(tunnels.adopt(a, X, 5000), true);
    await turns();
    assert.deepEqual([a.applied, a.wanted], [X, X]);
    assert.ok(secondsLeft(a) <= 5 && secondsLeft(a) > 4);
    assert.deepEqual([events, applier.moves], [[], []]);
    assert.equal(
      tunnels.adopt(peer("h/b"), { ...X, port: 2 }, undefined),
      false,
      "one pair, one holder",
    );
    tunnels.proven(a, X);
    assert.ok(secondsLeft(a) > 59, "a fresh proof lasts its whole time");
    mock.timers.tick(5000);
    assert.equal(stateOf(a), "authenticated");
    tunnels.close();
    mock.timers.tick(HOUR);
    assert.equal(stateOf(a), "authenticated", "closed: no timer is left");
  }),
);

test(
  "adopting with another lifetime than the configuration has by now: the configuration counts",
  withTimers(async () => {
    const { tunnels, peer } = hub({ authLifetime: 60_000 });
    tunnels.adopt(peer("h/a"), X, undefined);
    tunnels.adopt(peer("h/b"), Y, HOUR);
    mock.timers.tick(60_000);
    assert.equal(stateOf(peer("h/a")), "expired");
    assert.equal(stateOf(peer("h/b")), "expired");
    const endless = hub();
    endless.tunnels.adopt(endless.peer("h/a"), X, 5000);
    assert.equal(endless.peer("h/a").deadline, undefined);
    mock.timers.tick(1000 * HOUR);
    assert.equal(stateOf(endless.peer("h/a")), "authenticated");
  }),
);

test("a dialled peer: connecting at each new address, one event for each", async () => {
  const { tunnels, events, peer, applier, writer } = world(
    configuration([tunnel("d", [dialled("hub")])]),
  );
  const hub = peer("d/hub");
  assert.equal(tunnels.resolved(hub, X), true);
  assert.equal(tunnels.resolved(hub, { ...X }), true);
  hub.answered = true;
  assert.equal(stateOf(hub), "authenticated");
  tunnels.resolved(hub, Y);
  assert.equal(stateOf(hub), "connecting");
  await writer.settled();
  assert.deepEqual(
    events.map((e) => [e.event, e.endpoint, e.reason]),
    [
      ["connecting", "198.51.100.2:40001", null],
      ["connecting", "198.51.100.9:40002", "from 198.51.100.2:40001"],
    ],
  );
  assert.equal(applier.moves.length, 1);
});

test("outer addresses change: places are reckoned anew, and of two in one only the first stays", () => {
  const config = configuration([
    tunnel("a", [dialled("hub")], { listen: listen("203.0.113.1", 1) }),
    tunnel("b", [dialled("hub")], { listen: listen("192.0.2.1", 2) }),
  ]);
  const { tunnels, peers, peer, locals, localOf } = world(config);
  tunnels.resolved(peer("a/hub"), X);
  tunnels.resolved(peer("b/hub"), X);
  locals.set("b", "203.0.113.1");
  peers.rehome(localOf);
  assert.equal(peer("a/hub").wanted, X);
  assert.equal(peer("b/hub").wanted, undefined);
  assert.equal(tunnels.resolved(peer("b/hub"), X), false);
  assert.equal(tunnels.resolved(peer("b/hub"), Y), true);
  locals.set("b", "192.0.2.1");
  peers.rehome(localOf);
  assert.equal(tunnels.resolved(peer("b/hub"), X), true);
});

test("any sequence of proofs: one holder a pair, and each holder is where it says", () => {
  const names = ["a", "b", "c", "d"];
  const { tunnels, peers, peer, localOf } = world(
    configuration([
      tunnel(
        "h",
        names.map((n) => peer_(n)),
      ),
    ]),
  );
  let seed = 7;
  const chance = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return (seed >> 8) % n;
  };
  for (let i = 0; i < 5000; i++) {
    const one = peer(`h/${names[chance(4)]}`);
    if (chance(5) === 0) tunnels.forget(one);
    else tunnels.proven(one, at(`198.51.100.${chance(3)}:${chance(3) + 1}`));
    const places = [...peers.all()].flatMap((p) => (p.wanted === undefined ? [] : [p]));
    assert.equal(new Set(places.map((p) => p.wanted?.address)).size, places.length);
    for (const p of places) assert.equal(p.wanted && peers.holder(localOf(p), p.wanted.address), p);
  }
});

function secondsLeft({ deadline }: { readonly deadline: number | undefined }): number {
  return ((deadline ?? Number.POSITIVE_INFINITY) - performance.now()) / 1000;
}

test("an address that a device of somebody else points to is refused, and is no write that fails", async () => {
  const { tunnels, events, peer, applier, foreign, localOf } = hub();
  const a = peer("h/a");
  foreign.add(`${localOf(a)} ${X.address}`);
  assert.equal(tunnels.proven(a, X), false);
  await turns();
  assert.deepEqual(applier.moves, []);
  assert.match(events[0]?.reason ?? "", /held by the interface other0/);
});
