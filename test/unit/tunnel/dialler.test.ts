import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { PeerConfig } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import type { Endpoint } from "../../../src/net/address.ts";
import { Dialler } from "../../../src/tunnel/dialler.ts";
import type { Current } from "../../../src/tunnel/resolver.ts";
import { parseDatagram } from "../../../src/wire/datagram.ts";
import { buildKeyProof } from "../../../src/wire/protocol1.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";
import { at, configuration, dialled, tunnel } from "../../support/configuration.ts";
import { turns, world } from "../../support/tunnel.ts";

const signatures = await loadSignatures();
const here = at("192.0.2.7:51000");
const hub = at("203.0.113.1:10000");

type Clock = ReturnType<typeof start>;

const seed = Buffer.alloc(32, 7);

/** @param peers On one device. */
function start(over: Partial<PeerConfig> = {}, peers = 1) {
  const others = Array.from({ length: peers - 1 }, (_, i) => dialled(`other${i}`));
  const parts = world(configuration([tunnel("d", [dialled("hub", over), ...others])]));
  const net = {
    source: here as Endpoint | undefined,
    /** What the name resolves to; an Error is thrown. */
    name: hub as Endpoint | Error,
    lookups: 0,
    /** What the last look-up was told of the present address. */
    current: undefined as Current | undefined,
    /** The resolver never answers. */
    hang: false,
    sent: [] as { to: Endpoint; at: number; packet: Buffer }[],
    sendError: undefined as Error | undefined,
    received: 0,
    transmitted: 0,
    /** A packet that is under way until this is called. */
    hold: false,
    release: (): void => undefined,
  };
  const dialler = new Dialler({
    peer: parts.peer("d/hub"),
    tunnels: parts.tunnels,
    signatures,
    emit: parts.emit,
    source: () => net.source,
    nextHop: (to) => to,
    resolve: async (_host, _port, current) => {
      net.lookups++;
      net.current = current;
      if (net.hang) await new Promise<void>(() => undefined);
      if (net.name instanceof Error) throw net.name;
      return net.name;
    },
    send: async (packet, to) => {
      if (net.sendError !== undefined) throw net.sendError;
      net.sent.push({ to, at: Date.now(), packet });
      if (net.hold)
        await new Promise<void>((resolve) => {
          net.release = resolve;
        });
    },
    settled: () => parts.writer.settled(),
    clock: () => Date.now(),
  });
  /** Lets time pass in steps, so that what timers start is awaited. */
  const look = () => dialler.look({ received: net.received, sent: net.transmitted });
  const pass = async (milliseconds: number, step = 1000): Promise<void> => {
    for (let left = milliseconds; left > 0; left -= step) {
      mock.timers.tick(Math.min(step, left));
      await turns(6);
      look();
      await turns(6);
    }
  };
  const go = async (): Promise<void> => {
    look();
    dialler.now();
    await turns();
  };
  return { ...parts, dialler, net, pass, go, hub: parts.peer("d/hub") };
}

/** With a clock of its own and no chance in it. */
function clocked(over: Partial<PeerConfig>, body: (clock: Clock) => Promise<void>, peers?: number) {
  return async (): Promise<void> => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
    const chance = mock.method(Math, "random", () => 0);
    const clock = start(over, peers);
    try {
      await body(clock);
    } finally {
      clock.dialler.close();
      chance.mock.restore();
      mock.timers.reset();
    }
  };
}

function pauses({ net }: Clock): number[] {
  return net.sent.slice(1).map(({ at: then }, i) => then - (net.sent[i]?.at ?? 0));
}

/** What a server answers to the last authentication: its own bytes in reverse. */
function reversed({ net }: Clock): Buffer {
  const payload = parseDatagram(net.sent.at(-1)?.packet ?? Buffer.alloc(0))?.payload ?? [];
  return Buffer.from(payload).reverse();
}

const allowance = { likely: () => true };

test(
  "an answer is news: the next authentication is the keepalive's",
  clocked({}, async (clock) => {
    await clock.go();
    await clock.pass(4500, 500);
    assert.equal(clock.net.sent.length, 3);
    assert.equal(clock.dialler.hear(reversed(clock), Date.now(), allowance), undefined);
    assert.equal(clock.hub.answered, true);
    assert.equal(clock.hub.lastAuthentication, Date.now());
    assert.equal(clock.events.at(-1)?.event, "authenticated");
    await clock.pass(24_000, 500);
    assert.equal(clock.net.sent.length, 3, "the pause of an unanswered one is over");
    await clock.pass(51_000, 500);
    assert.deepEqual(pauses(clock), [1500, 3000, 25_000, 25_000, 25_000]);
    assert.equal(clock.events.filter(({ event }) => event === "authenticated").length, 1);
  }),
);

test(
  "keepalive 0: an answer ends it",
  clocked({ keepalive: 0, resolveInterval: 0 }, async (clock) => {
    await clock.go();
    assert.equal(clock.dialler.hear(reversed(clock), Date.now(), allowance), undefined);
    await clock.pass(600_000, 10_000);
    assert.equal(clock.net.sent.length, 1);
  }),
);

test(
  "what is no answer changes nothing",
  clocked({}, async (clock) => {
    await clock.go();
    const before = { ...clock.hub };
    for (const payload of [Buffer.alloc(0), Buffer.from("a token"), Buffer.from("nekot b")])
      assert.match(clock.dialler.hear(payload, Date.now() + 5, allowance) ?? "", /not to what/);
    assert.deepEqual({ ...clock.hub }, before);
    await clock.pass(100_000, 500);
    assert.deepEqual(pauses(clock), [1500, 3000, 6000, 12_000, 24_000, 25_000, 25_000]);
  }),
);

test(
  "an answer to the last but one was under way; an older one is none",
  clocked({ identity: { kind: "key", seed: new Secret(seed) } }, async (clock) => {
    await clock.go();
    const old = reversed(clock);
    await clock.go();
    assert.equal(clock.dialler.hear(old, Date.now(), allowance), undefined);
    await clock.go();
    assert.match(clock.dialler.hear(old, Date.now(), allowance) ?? "", /not to what we sent last/);
  }),
);

test("an answer to what was never sent is none", () => {
  const { dialler } = start();
  assert.match(dialler.hear(Buffer.from("nekot a"), 0, allowance) ?? "", /never asked/);
});

test(
  "a signed answer is verified, counts once, and costs of the budget",
  clocked({ proof: { kind: "key", publicKey: signatures.publicKey(seed) } }, async (clock) => {
    await clock.go();
    const sign = (): Buffer => {
      const time = Math.floor(Date.now() / 1000);
      const parts = { seed, secret: Buffer.alloc(0), time, salt: Buffer.from("salt") };
      return buildKeyProof(parts, signatures);
    };
    const spent = { likely: () => false };
    assert.match(clock.dialler.hear(sign(), Date.now(), spent) ?? "", /more answers at once/);
    assert.match(clock.dialler.hear(reversed(clock), Date.now(), allowance) ?? "", /signature/);
    assert.equal(clock.hub.answered, false);
    const answer = sign();
    assert.equal(clock.dialler.hear(answer, Date.now(), allowance), undefined);
    assert.equal(clock.hub.answered, true);
    assert.match(clock.dialler.hear(answer, Date.now(), allowance) ?? "", /copy/);
  }),
);

test("of several that are dialled, one that answers each time is silent when it is silent", async () => {
  await clocked(
    {},
    async (clock) => {
      await clock.go();
      // Others talk through the same device all the time.
      const talk = (): void => {
        clock.net.received += 10;
        clock.net.transmitted += 10;
      };
      for (let round = 0; round < 4; round++) {
        assert.equal(clock.dialler.hear(reversed(clock), Date.now(), allowance), undefined);
        talk();
        await clock.pass(25_000);
      }
      assert.equal(clock.hub.answered, true);
      for (let round = 0; round < 8; round++) {
        talk();
        await clock.pass(25_000);
      }
      assert.equal(clock.hub.answered, false);
      assert.equal(clock.events.at(-1)?.event, "unanswered");
    },
    2,
  )();
});

test("one that answers only at first, as ipipou 0.1 does, is judged by the traffic", async () => {
  await clocked(
    {},
    async (clock) => {
      await clock.go();
      assert.equal(clock.dialler.hear(reversed(clock), Date.now(), allowance), undefined);
      for (let round = 0; round < 20; round++) {
        clock.net.received += 10;
        clock.net.transmitted += 10;
        await clock.pass(25_000);
      }
      assert.equal(clock.hub.answered, true);
      assert.deepEqual(
        clock.events.map(({ event }) => event),
        ["connecting", "authenticated"],
      );
    },
    2,
  )();
});

test(
  "a first authentication goes out at once, from our endpoint to theirs",
  clocked({}, async (clock) => {
    await clock.go();
    const [first] = clock.net.sent;
    assert.ok(first !== undefined);
    const datagram = parseDatagram(first.packet);
    assert.deepEqual(datagram?.source, here);
    assert.deepEqual(datagram?.destination, hub);
    assert.equal(Buffer.from(datagram?.payload ?? []).toString(), "a token");
    assert.equal(clock.hub.lastAuthentication, Date.now());
    assert.deepEqual(
      clock.events.map(({ event }) => event),
      ["connecting"],
    );
    assert.equal(clock.applier.moves.length, 1, "it stands in the kernel before the packet leaves");
  }),
);

test(
  "unanswered: backing off to the keepalive; answered: the keepalive",
  clocked({}, async (clock) => {
    await clock.go();
    await clock.pass(100_000, 500);
    assert.deepEqual(pauses(clock), [1500, 3000, 6000, 12_000, 24_000, 25_000, 25_000]);
    clock.net.received = 1;
    await clock.pass(25_000);
    assert.equal(clock.hub.answered, true);
    assert.equal(clock.events.at(-1)?.event, "authenticated");
    await clock.pass(75_000);
    assert.deepEqual(pauses(clock).slice(-3), [25_000, 25_000, 25_000]);
  }),
);

test(
  "nothing comes back though something was sent: one word about it; an idle tunnel: none",
  clocked({}, async (clock) => {
    clock.net.transmitted = 5;
    await clock.go();
    await clock.pass(100_000);
    assert.deepEqual(
      clock.events.map(({ event }) => event),
      ["connecting"],
      "sent before we began",
    );
    clock.net.transmitted = 6;
    await clock.pass(100_000);
    assert.deepEqual(
      clock.events.map(({ event }) => event),
      ["connecting", "unanswered"],
    );
  }),
);

test(
  "an answered peer that falls silent is looked up again, and asked more often",
  clocked({}, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(1000);
    assert.equal(clock.hub.answered, true);
    const lookups = clock.net.lookups;
    clock.net.transmitted = 100;
    await clock.pass(110_000);
    assert.equal(clock.hub.answered, false);
    assert.ok(clock.net.lookups > lookups);
    assert.equal(clock.events.at(-1)?.event, "unanswered");
    clock.net.name = at("203.0.113.9:10000");
    await clock.pass(25_000);
    assert.equal(clock.net.sent.at(-1)?.to.address, "203.0.113.9");
  }),
);

test(
  "keepalive 0: once answered, never by time alone",
  clocked({ keepalive: 0, resolveInterval: 60_000 }, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(1000);
    const count = clock.net.sent.length;
    const lookups = clock.net.lookups;
    await clock.pass(3_600_000, 10_000);
    assert.equal(clock.net.sent.length, count);
    assert.equal(clock.net.lookups - lookups, 60, "its name is still looked up");
    clock.net.name = at("203.0.113.9:10000");
    await clock.pass(60_000);
    assert.equal(clock.net.sent.length, count + 1, "and a new address has to be told who we are");
  }),
);

test(
  "resolveInterval 0: on failure only, and no turning in circles",
  clocked({ resolveInterval: 0 }, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(600_000, 5000);
    assert.equal(clock.net.lookups, 1);
    assert.ok(clock.net.sent.length <= 26);
  }),
);

test(
  "a keepalive longer than the resolve interval keeps its length",
  clocked({ keepalive: 600_000, resolveInterval: 100_000 }, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(1000);
    const count = clock.net.sent.length;
    await clock.pass(1_800_000);
    assert.equal(clock.net.sent.length - count, 3);
  }),
);

test(
  "a name that does not resolve: one word, and looked up at growing pauses",
  clocked({}, async (clock) => {
    clock.net.name = new Error('"hub.example.net" has no IPv4 address now');
    await clock.go();
    await clock.pass(120_000);
    assert.deepEqual(
      clock.events.map(({ event }) => event),
      ["unresolved"],
    );
    assert.equal(clock.events[0]?.endpoint, "hub.example.net:10000");
    assert.ok(clock.net.lookups >= 6 && clock.net.lookups <= 10, `${clock.net.lookups}`);
    assert.equal(clock.net.sent.length, 0);
    clock.net.name = hub;
    await clock.pass(25_000);
    assert.equal(clock.net.sent.length > 0, true);
  }),
);

test(
  "a name that stops resolving: the old address stays in use, and nothing turns in circles",
  clocked({ resolveInterval: 30_000 }, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(1000);
    clock.net.name = new Error("gone");
    const lookups = clock.net.lookups;
    await clock.pass(300_000);
    assert.ok(clock.net.lookups - lookups <= 25, `${clock.net.lookups - lookups}`);
    assert.deepEqual(clock.hub.wanted, hub);
    assert.deepEqual(pauses(clock).slice(-3), [25_000, 25_000, 25_000]);
  }),
);

test(
  "`now` during a round makes exactly one more, whoever often it is said",
  clocked({}, async (clock) => {
    clock.net.hold = true;
    await clock.go();
    assert.equal(clock.net.sent.length, 1);
    for (let i = 0; i < 10; i++) clock.dialler.now();
    await turns();
    assert.equal(clock.net.sent.length, 1, "never two at once");
    clock.net.hold = false;
    clock.net.release();
    await turns();
    assert.equal(clock.net.sent.length, 2);
    await clock.pass(500);
    assert.equal(clock.net.sent.length, 2);
  }),
);

test(
  "`now` between rounds takes the place of the one that was due",
  clocked({}, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(20_000);
    const count = clock.net.sent.length;
    await clock.go();
    assert.equal(clock.net.sent.length, count + 1);
    await clock.pass(24_000);
    assert.equal(clock.net.sent.length, count + 1);
    await clock.pass(1000);
    assert.equal(clock.net.sent.length, count + 2);
  }),
);

test(
  "close stops everything, a round under way included",
  clocked({}, async (clock) => {
    clock.dialler.now();
    clock.dialler.close();
    await turns();
    assert.equal(clock.net.sent.length, 0, "its round had not sent yet");
    clock.dialler.now();
    await clock.pass(600_000, 10_000);
    assert.deepEqual([clock.net.sent.length, clock.events], [0, []]);
  }),
);

test(
  "a packet that can't be sent: one word, and tried again soon though the peer had answered",
  clocked({}, async (clock) => {
    await clock.go();
    clock.net.received = 1;
    await clock.pass(26_000);
    clock.net.sendError = new Error("ENETUNREACH");
    await clock.pass(25_000);
    assert.equal(clock.events.at(-1)?.reason, "ENETUNREACH");
    clock.net.sendError = undefined;
    const count = clock.net.sent.length;
    await clock.pass(9000);
    assert.ok(clock.net.sent.length > count);
  }),
);

test(
  "no outer address: nothing is sent until there is one and somebody says so",
  clocked({}, async (clock) => {
    clock.net.source = undefined;
    await clock.go();
    await clock.pass(30_000);
    assert.equal(clock.net.sent.length, 0);
    clock.net.source = here;
    await clock.go();
    assert.equal(clock.net.sent.length, 1);
  }),
);

test(
  "a static peer that has said where it is stays there, until its name gives another answer",
  clocked(
    { role: "static", pinPort: true, keepalive: 0, resolveInterval: 60_000 },
    async (clock) => {
      await clock.go();
      assert.deepEqual(clock.hub.wanted, hub);
      const moved = at("198.51.100.9:10000");
      clock.tunnels.proven(clock.hub, moved);
      await clock.pass(180_000, 10_000);
      assert.deepEqual(clock.hub.wanted, moved);
      clock.net.name = at("203.0.113.9:10000");
      await clock.pass(60_000, 10_000);
      assert.deepEqual(clock.hub.wanted, clock.net.name);
    },
  ),
);

test(
  "a static peer that was taken over stays within its pin",
  clocked({ role: "static", pinAddress: true, keepalive: 0 }, async (clock) => {
    const within = { ...hub, port: 40_001 };
    clock.tunnels.adopt(clock.hub, { endpoint: within, remaining: undefined, translated: false });
    await clock.go();
    assert.deepEqual(clock.hub.wanted, within);
    const elsewhere = start({ role: "static", pinAddress: true, keepalive: 0 });
    elsewhere.tunnels.adopt(elsewhere.hub, {
      endpoint: at("192.0.2.99:40001"),
      remaining: undefined,
      translated: false,
    });
    await elsewhere.go();
    assert.deepEqual(elsewhere.hub.wanted, hub);
    elsewhere.dialler.close();
  }),
);

test(
  "a static peer is looked up and never authenticated to",
  clocked({ role: "static", keepalive: 0, resolveInterval: 60_000 }, async (clock) => {
    await clock.go();
    await clock.pass(600_000, 10_000);
    assert.deepEqual(clock.hub.wanted, hub);
    assert.equal(clock.net.sent.length, 0);
    assert.equal(clock.net.lookups, 11);
    assert.deepEqual(clock.events, []);
  }),
);

/** Something goes in every second; what comes back is up to the test. */
async function converse(clock: Clock, seconds: number, back: () => number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    clock.net.transmitted += 10;
    clock.net.received += back();
    await clock.pass(1000);
  }
}

test(
  "a NAT that forgets us while traffic flows: authenticated within 4 seconds, whatever the resolver does",
  clocked({ keepalive: 3_600_000 }, async (clock) => {
    await clock.go();
    await converse(clock, 600, () => 10);
    const count = clock.net.sent.length;
    clock.net.hang = true;
    const died = Date.now();
    while (clock.net.sent.length === count) await converse(clock, 1, () => 0);
    assert.ok(Date.now() - died <= 4000, `${Date.now() - died} ms`);
    await converse(clock, 600, () => 10);
    assert.equal(clock.net.sent.length, count + 1, "answered: the keepalive will do");
    assert.deepEqual(
      clock.events.map(({ event }) => event),
      ["connecting", "authenticated"],
    );
  }),
);

test(
  "the name has moved: its new address is dialled at once on failure",
  clocked({ keepalive: 3_600_000, resolveInterval: 3_600_000 }, async (clock) => {
    await clock.go();
    await converse(clock, 10, () => 10);
    clock.net.name = at("203.0.113.9:10000");
    const died = Date.now();
    await converse(clock, 4, () => 0);
    const last = clock.net.sent.at(-1);
    assert.equal(last?.to.address, "203.0.113.9");
    assert.ok(last.at - died <= 4000);
    assert.equal(
      clock.net.current?.failing,
      false,
      "only a name that is no help makes us try others",
    );
  }),
);

test(
  "a failing peer whose name stays: after some tries its other addresses have their turn",
  clocked({}, async (clock) => {
    await clock.go();
    await converse(clock, 60, () => 0);
    assert.deepEqual(clock.net.current, { address: hub.address, failing: true });
  }),
);

test(
  "traffic that is one-way by nature costs little more than the keepalive",
  clocked({}, async (clock) => {
    await clock.go();
    await converse(clock, 5, () => 10);
    const count = clock.net.sent.length;
    await converse(clock, 3600, () => 0);
    const extra = clock.net.sent.length - count - 3600 / 25;
    assert.ok(extra <= 6, `${extra} more than without`);
  }),
);

test(
  "whoever begins to send while a long keepalive has backed off is not kept waiting",
  clocked({ keepalive: 3_600_000 }, async (clock) => {
    await clock.go();
    await clock.pass(3_600_000, 10_000);
    const count = clock.net.sent.length;
    await converse(clock, 30, () => 0);
    assert.ok(clock.net.sent.length > count);
    assert.ok(clock.net.sent.length <= count + 2);
  }),
);

test(
  "a thousand seconds without the server: backing off to the keepalive, and quick when it is back",
  clocked({}, async (clock) => {
    await clock.go();
    await converse(clock, 5, () => 10);
    const from = clock.net.sent.length;
    await converse(clock, 150, () => 0);
    assert.deepEqual(
      pauses(clock).slice(from, from + 6),
      [2000, 3000, 6000, 12_000, 24_000, 25_000],
    );
  }),
);

test(
  "a world that changes ten times a second: three authentications at once, then one a second",
  clocked({ keepalive: 3_600_000 }, async (clock) => {
    await clock.go();
    await converse(clock, 5, () => 10);
    const count = clock.net.sent.length;
    for (let i = 0; i < 50; i++) {
      clock.dialler.nudge();
      await clock.pass(100);
    }
    const many = clock.net.sent.length - count;
    assert.ok(many >= 5 && many <= 9, `${many}`);
    const last = clock.net.sent.at(-1)?.at ?? 0;
    assert.ok(Date.now() - last <= 1000, "the last change is never lost");
  }),
);

test(
  "a nudge while a packet is under way is not lost",
  clocked({ keepalive: 3_600_000 }, async (clock) => {
    clock.net.hold = true;
    await clock.go();
    for (let i = 0; i < 5; i++) clock.dialler.nudge();
    clock.net.hold = false;
    clock.net.release();
    await turns();
    assert.equal(clock.net.sent.length, 2);
  }),
);

test(
  "what only another part can hear is an answer too, and so is its absence",
  clocked({ keepalive: 3_600_000 }, async (clock) => {
    await clock.go();
    clock.dialler.heard();
    assert.equal(clock.hub.answered, true);
    await clock.pass(60_000);
    assert.equal(clock.net.sent.length, 1);
    const lookups = clock.net.lookups;
    clock.dialler.suspect("3 pings without an answer");
    await turns();
    assert.equal(clock.net.sent.length, 2);
    assert.equal(clock.net.lookups, lookups + 1);
    assert.equal(clock.events.at(-1)?.reason, "3 pings without an answer");
  }),
);

test(
  "a clock that is set back: keepalives go on, and no proof is older than the last",
  clocked({ keepalive: 10_000, identity: key() }, async (clock) => {
    await clock.go();
    await converse(clock, 60, () => 10);
    const time = () => timeOf(clock.net.sent.at(-1)?.packet);
    const before = time();
    const count = clock.net.sent.length;
    const behind = mock.method(Date, "now", () => 1_800_000_060_000 - 120_000);
    clock.dialler.nudge();
    await turns();
    behind.mock.restore();
    assert.equal(clock.net.sent.length, count + 1);
    assert.equal(time(), before);
    await converse(clock, 60, () => 10);
    assert.equal(clock.net.sent.length, count + 7);
    assert.ok(time() > before);
  }),
);

function key(): PeerConfig["identity"] {
  return { kind: "key", seed: new Secret(Buffer.alloc(32, 7)) };
}

/** Seconds since 1970 in a key's proof: after the signature. */
function timeOf(packet: Buffer | undefined): number {
  return Buffer.from(parseDatagram(packet ?? Buffer.of())?.payload ?? []).readUIntBE(64, 5);
}
