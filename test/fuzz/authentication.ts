/**
 * What strangers may send to a port where somebody is waited for, from the IP header to the verdict:
 *
 *     node dist/test/fuzz/authentication.js --count 1000000 [--seed N]
 *
 * Nothing throws; nobody is let in but by a packet that its key has signed, in time and for the first time;
 * no more is verified than is allowed; and what is said of it is one line.
 */
import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Secret } from "../../src/config/secret.ts";
import { Door } from "../../src/tunnel/door.ts";
import { buildDatagram, parseDatagram } from "../../src/wire/datagram.ts";
import { buildKeyProof } from "../../src/wire/protocol1.ts";
import { judgeReply } from "../../src/wire/reply.ts";
import { loadSignatures, type Signatures } from "../../src/wire/signatures.ts";
import { at, configuration, peer, tunnel } from "../support/configuration.ts";
import { mutated, pick, type Random, random, randomBytes } from "../support/random.ts";
import { world } from "../support/tunnel.ts";
import { runTarget } from "./command.ts";
import { linesOf } from "./corpus.ts";

const NOW = 1_800_000_000_000;
const here = at("203.0.113.1:10000");
const SECRET = Buffer.from("topsecret");
const TOKEN = Buffer.from("a token of those who have no key");
const SKEW = 300_000;
/** A door is made anew after so many inputs, with fresh replay marks. */
const LIFE = 500;
/** Verifications allowed for one packet. */
const ALLOWED = 3;

const seeds = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

/** What node:crypto thinks of a signature, as the judge: SubjectPublicKeyInfo of RFC 8410 around the key. */
function publicKeyOf(bytes: Uint8Array): KeyObject {
  const head = Buffer.from("302a300506032b6570032100", "hex");
  return createPublicKey({ key: Buffer.concat([head, bytes]), format: "der", type: "spki" });
}

function makePayloads(signatures: Signatures, next: Random): Buffer[] {
  const proofs = Array.from({ length: 40 }, () => {
    const time = NOW / 1000 + next(700) - 350;
    const seed = pick(next, [...seeds, Buffer.alloc(32, 99)]);
    const secret = next(8) === 0 ? Buffer.alloc(0) : SECRET;
    return buildKeyProof({ seed, secret, time, salt: randomBytes(next, 4) }, signatures);
  });
  const recorded = linesOf("authentication").map((line) => Buffer.from(line, "hex"));
  return [...proofs, ...recorded, TOKEN, Buffer.alloc(0)];
}

function makePayload(next: Random, payloads: readonly Buffer[]): Buffer {
  switch (next(8)) {
    case 0:
      return randomBytes(next, next(180));
    case 1: {
      // Of the right length, with a time that is now's and a scalar in range: as good as a stranger can.
      const payload = randomBytes(next, 73);
      payload[63] = next(16);
      payload.writeUIntBE(NOW / 1000 + next(300), 64, 5);
      return payload;
    }
    case 2:
    case 3:
      return pick(next, payloads);
    default:
      return mutated(next, pick(next, payloads));
  }
}

/** Throws at the first packet that breaks a promise, naming it. */
export async function fuzzAuthentication(count: number, seed: number) {
  const signatures = await loadSignatures();
  const next = random(seed);
  const keys = seeds.map((one) => signatures.publicKey(one));
  const judges = keys.map(publicKeyOf);
  const policies = ["strict", "window"] as const;
  const configs = [
    ...keys.map((publicKey, i) =>
      peer(`k${i}`, {
        proof: { kind: "key", publicKey },
        secret: new Secret(SECRET),
        replay: policies[i] ?? "strict",
        maxClockSkew: SKEW,
      }),
    ),
    peer("t", { proof: { kind: "token", token: new Secret(TOKEN) } }),
    peer("n", {
      proof: { kind: "none" },
      pinAddress: true,
      endpoint: { host: "192.0.2.9", port: 1 },
    }),
  ];
  const config = configuration([tunnel("t", configs)]);
  const answering = {
    proof: { kind: "key", publicKey: keys[0] ?? Buffer.alloc(32) },
    secret: new Secret(SECRET),
    replay: "strict",
    maxClockSkew: SKEW,
  } as const;
  const newDoor = () => new Door([...world(config).peers.all()], signatures);
  const sums = { proven: 0, refused: 0, "no datagram": 0, answers: 0 };
  let door = newDoor();
  let taken = new Set<string>();
  let payloads = makePayloads(signatures, next);

  const genuine = (payload: Uint8Array, key: KeyObject): boolean =>
    verify(null, Buffer.concat([payload.subarray(64), SECRET]), key, payload.subarray(0, 64));

  function receive(packet: Uint8Array): void {
    const datagram = parseDatagram(packet);
    if (datagram === undefined) {
      sums["no datagram"]++;
      return;
    }
    const { payload, source } = datagram;
    let left = ALLOWED;
    const verification = () => --left >= 0;
    const answer = door.judge(payload, source, NOW, {
      start: next(4),
      stopped: () => {},
      measured: (verify) => verify(),
      ...{
        likely: verification,
        verification,
        explanation: verification,
        explaining: verification,
      },
    });
    if (next(16) === 0) {
      const sent = next(2) === 0 ? [Buffer.from(payload).reverse()] : [TOKEN];
      const { verdict } = judgeReply(payload, answering, sent, undefined, NOW, signatures);
      if (verdict === "answer") {
        sums.answers++;
        const key = judges[0];
        assert.ok(
          key !== undefined && genuine(payload, key),
          "an answer that its key did not sign",
        );
      }
    }
    if (answer.kind === "refused") {
      sums.refused++;
      assert.ok(!/\p{Cc}/u.test(answer.reason) && answer.reason.length < 300, answer.reason);
      return;
    }
    sums.proven++;
    const { proof } = answer.peer.config;
    if (proof.kind === "token") assert.deepEqual(Buffer.from(payload), TOKEN);
    if (proof.kind === "none") assert.equal(source.address, "192.0.2.9");
    if (proof.kind !== "key") return;
    const text = Buffer.from(payload).toString("hex");
    assert.ok(!taken.has(text), "a packet that was taken already");
    taken.add(text);
    const key = judges[keys.findIndex((one) => proof.kind === "key" && one === proof.publicKey)];
    assert.ok(key !== undefined && genuine(payload, key), "a packet that its key did not sign");
    const off = Math.abs(Buffer.from(payload).readUIntBE(64, 5) * 1000 - NOW);
    assert.ok(off <= SKEW + 999, `${off} ms off`);
  }

  for (let i = 0; i < count; i++) {
    if (i % LIFE === LIFE - 1) {
      door = newDoor();
      taken = new Set();
      payloads = makePayloads(signatures, next);
    }
    const source = at(next(3) === 0 ? "192.0.2.9:1" : `198.51.100.${1 + next(9)}:${1 + next(9)}`);
    const whole = buildDatagram(
      { source, destination: here, payload: makePayload(next, payloads) },
      64,
    );
    const packet = next(6) === 0 ? mutated(next, whole) : whole;
    try {
      receive(packet);
    } catch (error) {
      throw new Error(`packet ${i} of seed ${seed}: ${packet.toString("hex")}`, { cause: error });
    }
  }
  return sums;
}

await runTarget(import.meta.url, "authentication", "packets", fuzzAuthentication);
