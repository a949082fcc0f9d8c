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
  tunnels.proven(a, X, 1000);
  assert.equal(stateOf(a), "authenticated");
  assert.equal(a.lastAuthentication, 1000);
  tunnels.proven(a, { ...X }, 2000);
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
  assert.deepEqual(peers.at("203.0.113.1" as typeof X.address, X), []);
  assert.equal(applier.moves[1]?.[0]?.before?.endpoint.port, 40_001);
});

test("a second peer behind one address is translated, and moves up when the first goes", async () => {
  const { tunnels, events, peer, applier, writer } = hub();
  const [a, b] = [peer("h/a"), peer("h/b")];
  tunnels.proven(a, X);
  tunnels.proven(b, { ...X, port: 5 });
  await writer.settled();
  assert.deepEqual([a.standing.translated, b.standing.translated], [false, true]);
  assert.deepEqual([a.wanted, b.wanted], [X, { ...X, port: 5 }]);
  assert.deepEqual(
    applier.moves.flat().map(({ peer: { name }, after }) => [name, after?.translated]),
    [
      ["a", false],
      ["b", true],
    ],
  );
  tunnels.proven(a, Y);
  await writer.settled();
  assert.equal(b.standing.translated, false);
  const moved = (applier.moves[1] ?? []).map(({ peer: { name }, before, after }) => [
    ...[name, before?.translated, after?.translated, after?.endpoint.port],
  ]);
  assert.deepEqual(moved.sort(), [
    ["a", false, false, Y.port],
    ["b", true, false, 5],
  ]);
  assert.deepEqual(
    events.map(({ event, peer: who }) => [event, who]),
    [
      ["authenticated", "a"],
      ["authenticated", "b"],
      ["roamed", "a"],
    ],
    "a change of form is no news",
  );
});

test("a peer that goes silent for good blocks nobody's address", () => {
  const { tunnels, peer } = hub();
  tunnels.proven(peer("h/a"), X);
  tunnels.proven(peer("h/b"), { ...X, port: 5 });
  tunnels.proven(peer("h/b"), { ...X, port: 6 });
  assert.equal(peer("h/b").wanted?.port, 6);
  assert.equal(peer("h/a").wanted, X);
});

test("at one endpoint, peers with networks: the later proof counts, and there is a word about it", async () => {
  const { tunnels, events, peer, applier, writer } = hub({ authLifetime: 60_000 });
  const [a, b] = [peer("h/a"), peer("h/b")];
  tunnels.proven(a, X);
  await writer.settled();
  tunnels.proven(b, X);
  await writer.settled();
  assert.deepEqual([a.wanted, b.wanted, stateOf(a)], [undefined, X, "expired"]);
  assert.deepEqual(
    events.map(({ event, peer: who, reason }) => [event, who, reason]),
    [
      ["authenticated", "a", null],
      ["expired", "a", "h/b has proven itself from there"],
      ["authenticated", "b", null],
    ],
  );
  assert.deepEqual(
    (applier.moves[1] ?? []).map(({ peer: { name }, after }) => [name, after?.endpoint]).sort(),
    [
      ["a", undefined],
      ["b", X],
    ],
  );
  tunnels.close();
});

test("at one endpoint, peers with single addresses live side by side", () => {
  const { tunnels, peer } = hub({ allowedIPs: [] });
  const [a, b] = [peer("h/a"), peer("h/b")];
  tunnels.proven(a, X);
  tunnels.proven(b, X);
  assert.deepEqual([a.wanted, b.wanted], [X, X]);
  assert.deepEqual([a.standing.second, b.standing.second], [false, true]);
  tunnels.forget(a);
  assert.deepEqual(b.standing, { translated: false, second: false });
});

test("tunnels on different outer addresses don't get in each other's way", () => {
  const { tunnels, peer } = world(
    configuration([
      tunnel("a", [peer_("p")], { listen: listen("203.0.113.1", 1) }),
      tunnel("b", [peer_("p")], { listen: listen("203.0.113.2", 1) }),
      tunnel("c", [peer_("p")], { listen: listen("203.0.113.2", 2) }),
    ]),
  );
  tunnels.proven(peer("a/p"), X);
  tunnels.proven(peer("b/p"), X);
  tunnels.proven(peer("c/p"), X);
  const translated = ["a/p", "b/p", "c/p"].map((key) => peer(key).standing.translated);
  assert.deepEqual(translated, [false, false, true]);
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
    tunnels.proven(peer("h/b"), { ...X, port: 9 });
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
    tunnels.adopt(a, { endpoint: X, remaining: 5000, translated: false });
    await turns();
    assert.deepEqual([a.applied, a.wanted], [X, X]);
    assert.ok(secondsLeft(a) <= 5 && secondsLeft(a) > 4);
    assert.deepEqual([events, applier.moves], [[], []]);
    const beside = { endpoint: { ...X, port: 2 }, remaining: undefined, translated: true };
    tunnels.adopt(peer("h/b"), beside);
    assert.equal(peer("h/b").appliedStanding.translated, true);
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
    tunnels.adopt(peer("h/a"), { endpoint: X, remaining: undefined, translated: false });
    tunnels.adopt(peer("h/b"), { endpoint: Y, remaining: HOUR, translated: false });
    mock.timers.tick(60_000);
    assert.equal(stateOf(peer("h/a")), "expired");
    assert.equal(stateOf(peer("h/b")), "expired");
    const endless = hub();
    const left = { endpoint: X, remaining: 5000, translated: false };
    endless.tunnels.adopt(endless.peer("h/a"), left);
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
  tunnels.resolved(hub, X);
  tunnels.resolved(hub, { ...X });
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

test("outer addresses change: places are reckoned anew, and who had one keeps it", () => {
  const config = configuration([
    tunnel("a", [dialled("hub")], { listen: listen("203.0.113.1", 1) }),
    tunnel("b", [dialled("hub")], { listen: listen("192.0.2.1", 2) }),
  ]);
  const { tunnels, peers, peer, locals, localOf } = world(config);
  const [a, b] = [peer("a/hub"), peer("b/hub")];
  tunnels.resolved(a, X);
  tunnels.resolved(b, X);
  const translated = () => [a.standing.translated, b.standing.translated];
  assert.deepEqual(translated(), [false, false]);
  locals.set("b", "203.0.113.1");
  peers.rehome(localOf, []);
  assert.deepEqual(translated(), [false, true]);
  assert.deepEqual([a.wanted, b.wanted], [X, X]);
  tunnels.forget(a);
  tunnels.resolved(a, X);
  peers.rehome(localOf, []);
  assert.deepEqual(translated(), [false, true], "nobody is moved for another's sake");
  tunnels.resolved(b, Y);
  assert.deepEqual(translated(), [false, false]);
});

test("any sequence of proofs: who is alone is plain, of several just one is", () => {
  const names = ["a", "b", "c", "d"];
  const { tunnels, peers, peer, localOf } = world(
    configuration([
      tunnel(
        "h",
        names.map((n) => peer_(n, n < "c" ? { allowedIPs: [] } : {})),
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
    for (const p of places) {
      assert.ok(p.wanted && peers.at(localOf(p), p.wanted).includes(p));
      const here = places.filter(({ wanted }) => wanted?.address === p.wanted?.address);
      assert.equal(here.filter(({ standing }) => !standing.translated).length, 1);
      const same = here.filter(({ wanted }) => wanted?.port === p.wanted?.port);
      assert.equal(same.filter(({ standing }) => !standing.second).length, 1);
      assert.ok(same.filter(({ config }) => config.allowedIPs === undefined).length <= 1);
    }
  }
});

function secondsLeft({ deadline }: { readonly deadline: number | undefined }): number {
  return ((deadline ?? Number.POSITIVE_INFINITY) - performance.now()) / 1000;
}

test("at an address that a device of somebody else points to, a tunnel is translated", () => {
  const { tunnels, peer, foreign, localOf } = world(configuration([tunnel("d", [peer_("p")])]));
  const p = peer("d/p");
  foreign.push({ device: "other0", local: localOf(p), remote: X.address });
  tunnels.proven(p, X);
  assert.equal(p.standing.translated, true);
  tunnels.proven(p, Y);
  assert.equal(p.standing.translated, false);
});
