import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerConfig } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import { type Allowance, Door } from "../../../src/tunnel/door.ts";
import type { Peer } from "../../../src/tunnel/peers.ts";
import { buildKeyProof } from "../../../src/wire/protocol1.ts";
import { loadSignatures, type Signatures } from "../../../src/wire/signatures.ts";
import { at, configuration, peer, tunnel } from "../../support/configuration.ts";
import { world } from "../../support/tunnel.ts";

const real = await loadSignatures();
const NOW = 1_800_000_000_000;
const X = at("198.51.100.2:40001");
const secret = (text: string) => new Secret(Buffer.from(text));
const seed = (i: number) => Buffer.alloc(32, i + 1);
const keyed = (i: number, over: Partial<PeerConfig> = {}) =>
  peer(`k${i}`, { proof: { kind: "key", publicKey: real.publicKey(seed(i)) }, ...over });

let salts = 0;
function proof(i: number, now = NOW, mixed = ""): Buffer {
  const salt = Buffer.alloc(4);
  salt.writeUInt32BE(++salts);
  const time = Math.floor(now / 1000);
  return buildKeyProof({ seed: seed(i), secret: Buffer.from(mixed), time, salt }, real);
}

/** A door, its peers, and whom it verified for, in order. */
function door(configs: readonly PeerConfig[]) {
  const { peers } = world(configuration([tunnel("t", configs)]));
  const all = [...peers.all()];
  const tried: string[] = [];
  const names = new Map(
    all.flatMap(({ config }) =>
      config.proof.kind === "key"
        ? [[Buffer.from(config.proof.publicKey).toString("hex"), config.name] as const]
        : [],
    ),
  );
  const signatures: Signatures = {
    ...real,
    verify(signature, message, key) {
      tried.push(names.get(Buffer.from(key).toString("hex")) ?? "?");
      return real.verify(signature, message, key);
    },
  };
  const of = (name: string): Peer => {
    const found = all.find(({ config }) => config.name === name);
    assert.ok(found !== undefined);
    return found;
  };
  const judged = new Door(all, signatures);
  const judge = (payload: Uint8Array, source = X, now = NOW, given = allowance()) =>
    judged.judge(payload, source, now, given);
  return { judge, of, tried };
}

function allowance(verifications = Infinity, explanations = Infinity) {
  const left = { verifications, explanations };
  const spend = (of: keyof typeof left) => (): boolean => --left[of] >= 0;
  const given: Allowance = {
    start: 0,
    stopped: () => {},
    measured: (verify) => verify(),
    likely: spend("verifications"),
    verification: spend("verifications"),
    explanation: spend("explanations"),
    explaining: spend("verifications"),
  };
  return { ...given, left };
}

function refused(answer: ReturnType<Door["judge"]>): string {
  assert.equal(answer.kind, "refused");
  return answer.kind === "refused" ? answer.reason : "";
}

test("what was signed before the floor is not taken, unless all is", () => {
  const { peers } = world(configuration([tunnel("t", [keyed(0), keyed(1, { replay: "off" })])]));
  let floor = NOW / 1000;
  const judged = new Door([...peers.all()], real, undefined, () => floor);
  const taken = (payload: Uint8Array): boolean =>
    judged.judge(payload, X, NOW, allowance()).kind === "proven";
  const late = proof(0);
  assert.equal(taken(late), false);
  assert.equal(taken(proof(0, NOW + 1000)), true);
  assert.equal(taken(proof(1)), true);
  assert.ok(peers.get("t/k1")?.mark !== undefined, "for the day when its policy is another one");
  floor = 0;
  assert.equal(taken(late), false, "by its own mark now");
});

test("a key proves its own peer, whichever place it has", () => {
  const { judge, of } = door([keyed(0), keyed(1), keyed(2)]);
  for (const i of [2, 0, 1]) {
    assert.deepEqual(judge(proof(i)), { kind: "proven", peer: of(`k${i}`) });
    assert.notEqual(of(`k${i}`).mark, undefined);
  }
});

test("1000 proofs in a row, each with its own salt", () => {
  const { judge, of } = door([keyed(0)]);
  for (let i = 0; i < 1000; i++) {
    const now = NOW + i * 100;
    assert.equal(judge(proof(0, now), X, now).kind, "proven", `${i}`);
  }
  assert.ok((of("k0").mark?.seen.length ?? 99) <= 64);
});

test("first the holder of the endpoint, then who was last seen at the address, then the others", () => {
  const { judge, of, tried } = door([keyed(0), keyed(1), keyed(2)]);
  judge(proof(1), X);
  assert.deepEqual(tried.splice(0), ["k0", "k1"]);
  judge(proof(1), { ...X, port: 1 });
  assert.deepEqual(tried.splice(0), ["k1"], "by its address");
  of("k2").wanted = X;
  judge(proof(0), X);
  assert.deepEqual(tried.splice(0), ["k2", "k1", "k0"]);
  judge(proof(1), at("192.0.2.5:1"));
  judge(proof(0), at("192.0.2.9:1"));
  tried.splice(0);
  judge(proof(0), at("192.0.2.9:2"));
  assert.deepEqual(tried.splice(0), ["k0"]);
});

test("a wrong key and a wrong secret: refused, no mark kept, and a word why", () => {
  const { judge, of } = door([keyed(0, { secret: secret("topsecret") })]);
  assert.match(refused(judge(proof(7, NOW, "topsecret"))), /wrong key or wrong secret/);
  assert.match(refused(judge(proof(0, NOW, "other"))), /wrong key or wrong secret/);
  assert.equal(of("k0").mark, undefined);
  assert.equal(judge(proof(0, NOW, "topsecret")).kind, "proven");
});

test("a copy is refused by name, and changes nothing", () => {
  const { judge, of } = door([keyed(0)]);
  const packet = proof(0);
  judge(packet);
  const mark = of("k0").mark;
  const answer = judge(packet, at("192.0.2.66:6"));
  assert.match(refused(answer), /copy/);
  assert.equal(answer.peer, of("k0"));
  assert.equal(of("k0").mark, mark);
});

test("a clock that is ahead or behind is explained, for the last of many keys too", () => {
  const { judge, of } = door(Array.from({ length: 20 }, (_, i) => keyed(i)));
  const ahead = judge(proof(19, NOW + 10 * 365 * 86_400_000), X, NOW, allowance(100, 1));
  assert.match(refused(ahead), /clock is 10 years ahead/);
  assert.equal(ahead.peer, of("k19"));
  assert.match(refused(judge(proof(3, NOW - 86_400_000))), /24 h old/);
  assert.equal(of("k19").mark, undefined, "one packet from 2036 locks nobody out");
  assert.equal(judge(proof(19)).kind, "proven");
});

test("without an explanation left it is refused all the same, and nothing is verified", () => {
  const { judge, tried } = door([keyed(0), keyed(1)]);
  const given = allowance(100, 0);
  assert.match(refused(judge(proof(1, NOW + 1e9), X, NOW, given)), /no fresh proof/);
  assert.deepEqual([tried, given.left.verifications], [[], 100]);
});

test("verifications are paid for, and what needs none costs none", () => {
  const { judge, tried } = door([keyed(0), keyed(1), keyed(2)]);
  const given = allowance(2);
  assert.match(refused(judge(proof(2), X, NOW, given)), /more proofs at once/);
  assert.deepEqual(tried, ["k0", "k1"]);
  const fresh = allowance(100, 100);
  for (const length of [1, 8, 72, 169, 1400]) judge(Buffer.alloc(length, 0xff), X, NOW, fresh);
  judge(Buffer.alloc(73, 0xff), X, NOW, fresh);
  assert.deepEqual(fresh.left, { verifications: 100, explanations: 100 });
});

test("a source that came no further goes on from there with its next packet", () => {
  const { judge, tried } = door([keyed(0), keyed(1), keyed(2), keyed(3)]);
  let start = 0;
  const next = (verifications: number): string => {
    const stopped = (at: number): void => {
      start = at;
    };
    return judge(proof(3), X, NOW, { ...allowance(verifications), start, stopped }).kind;
  };
  assert.deepEqual([next(2), next(1), next(1)], ["refused", "refused", "proven"]);
  assert.deepEqual(tried, ["k0", "k1", "k2", "k3"]);
});

test("tokens: exactly these bytes", () => {
  const token = (text: string) => ({ kind: "token", token: secret(text) }) as const;
  const { judge, of } = door([
    peer("a", { proof: token("open sesame") }),
    peer("b", { proof: token("open barley") }),
    keyed(0),
  ]);
  assert.deepEqual(judge(Buffer.from("open barley")), { kind: "proven", peer: of("b") });
  for (const text of ["open sesamf", "open sesame ", "open sesam", "\0"])
    assert.match(refused(judge(Buffer.from(text))), /wrong token/, text);
  assert.equal(judge(proof(0)).kind, "proven", "keys beside them");
});

test("an empty packet is a proof for `auth: none` alone", () => {
  const open = door([peer("n", { proof: { kind: "none" } })]);
  assert.equal(open.judge(Buffer.alloc(0)).kind, "proven");
  assert.equal(open.judge(Buffer.from("x")).kind, "refused");
  assert.match(refused(door([keyed(0)]).judge(Buffer.alloc(0))), /auth: none/);
});

test("pins: a good proof from elsewhere is refused, says which pin, and leaves no mark", () => {
  const pinned = { endpoint: { host: X.address, port: X.port }, pinAddress: true, pinPort: true };
  const { judge, of } = door([keyed(0, pinned)]);
  assert.match(refused(judge(proof(0), at("192.0.2.1:40001"))), /pinned address/);
  assert.match(refused(judge(proof(0), { ...X, port: 1 })), /pinned port/);
  assert.equal(of("k0").mark, undefined);
  assert.equal(judge(proof(0)).kind, "proven");
  const port = door([keyed(0, { ...pinned, pinAddress: false })]);
  assert.equal(port.judge(proof(0), at("192.0.2.1:40001")).kind, "proven");
  const none = door([peer("n", { proof: { kind: "none" }, ...pinned, pinPort: false })]);
  assert.equal(none.judge(Buffer.alloc(0), { ...X, port: 9 }).kind, "proven");
  assert.equal(none.judge(Buffer.alloc(0), at("192.0.2.1:40001")).kind, "refused");
});
