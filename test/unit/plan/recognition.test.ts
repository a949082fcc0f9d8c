/**
 * Which authentications the gate tells from data, and that the configuration refuses exactly the tokens that
 * it can't: the rules themselves decide, for every first byte and every length.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ruleset } from "../../../src/apply/nftables/ruleset.ts";
import type { Identity, PeerConfig, Proof } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import { looksLikePacket, passesForData } from "../../../src/config/token.ts";
import { desiredState } from "../../../src/plan/desired.ts";
import {
  at,
  configuration,
  dialled,
  known,
  peer,
  prefix,
  situation,
  tunnel,
} from "../../support/configuration.ts";
import { type Fate, GateMachine, machinePacket } from "../../support/gate-machine.ts";
import { random, randomBytes } from "../../support/random.ts";

const here = at("203.0.113.1:10000");
const there = at("198.51.100.2:40001");
const stranger = at("198.51.100.66:40001");
const NOW = 1_800_000_000;
const innerSource = "172.28.0.2";

interface Form {
  readonly allowedIPs: readonly string[] | undefined;
  /** Inner addresses of further peers on the port. */
  readonly others?: readonly string[];
}

const forms: Readonly<Record<string, Form>> = {
  "direct, exact": { allowedIPs: [`${innerSource}/32`] },
  "direct, prefixes": { allowedIPs: ["172.28.0.0/24", "10.7.0.0/16"] },
  "direct, 0.0.0.0/0": { allowedIPs: ["0.0.0.0/0"] },
  "direct, no allowedIPs": { allowedIPs: undefined },
  "hub, exact": { allowedIPs: [`${innerSource}/32`], others: ["172.28.0.3/32"] },
  "hub, prefixes": { allowedIPs: ["172.28.0.0/24"], others: ["172.29.0.0/24", "172.29.1.3/32"] },
  "hub, 0.0.0.0/0": { allowedIPs: ["0.0.0.0/0"], others: ["172.29.1.3/32"] },
};

const prefixes = ({ allowedIPs }: Form) => allowedIPs?.map(prefix);

/** The gate of a tunnel in this form whose peer stands at `there`. */
function machine(form: Form, make: typeof peer, over: Partial<PeerConfig>): GateMachine {
  const others = (form.others ?? []).map((network, i) =>
    peer(`other${i}`, { allowedIPs: [prefix(network)] }),
  );
  const one = make("one", { allowedIPs: prefixes(form), ...over });
  const config = configuration([tunnel("t", [one, ...others])]);
  const now = situation(config, { "t/one": known(`${there.address}:${there.port}`) }, { now: NOW });
  return new GateMachine(ruleset(desiredState(config, now).gate));
}

function token(bytes: Uint8Array): Proof {
  return { kind: "token", token: new Secret(bytes) };
}

const fate = (gate: GateMachine, payload: Uint8Array, from = there): Fate =>
  gate.run(machinePacket(from, here, Buffer.from(payload).toString("hex")));

/** As much of an inner packet as a token of this length can be. */
function likePacket(length: number, source = innerSource): Buffer {
  const bytes = Buffer.alloc(length, 0x2e);
  if (length >= 4) bytes.writeUInt16BE(length, 2);
  if (length >= 16) bytes.set(source.split(".").map(Number), 12);
  return bytes;
}

for (const [name, form] of Object.entries(forms)) {
  describe(name, () => {
    const anySource = form.allowedIPs?.includes("0.0.0.0/0") ?? true;
    const exact = form.allowedIPs?.every((text) => text.endsWith("/32")) ?? false;
    /** Taken for data, and so refused by the configuration. */
    const refused = (bytes: Buffer): boolean => {
      const token = new Secret(bytes);
      return exact ? passesForData(token, prefixes(form)) : looksLikePacket(token);
    };

    test("tokens: every first byte and every length, as like a packet as can be", () => {
      const wrong: string[] = [];
      for (let length = 1; length <= 1000; length++) {
        const bytes = likePacket(length);
        const gate = machine(form, peer, { proof: token(bytes) });
        for (let first = 0; first < 256; first++) {
          bytes[0] = first;
          const expected = refused(bytes) ? "accept" : "queue";
          if (fate(gate, bytes) !== expected) wrong.push(`${length} bytes, first ${first}`);
        }
        if (fate(gate, bytes, stranger) !== "queue") wrong.push(`${length} bytes of a stranger`);
      }
      assert.deepEqual(wrong, []);
    });

    test("tokens that are almost a packet, or one of somebody else's", () => {
      const chance = random(7);
      for (let length = 1; length <= 1000; length += 3) {
        const longer = likePacket(length);
        if (length >= 4) longer.writeUInt16BE(length + 1, 2);
        const tokens = [longer, likePacket(length, "192.0.2.77"), randomBytes(chance, length)];
        const gate = machine(form, peer, { proof: token(longer) });
        for (const bytes of tokens) {
          for (const first of [0x40, 0x45, 0x4f, 0x50, bytes[0] ?? 0]) {
            bytes[0] = first;
            const taken = fate(gate, bytes) === "accept";
            // Refused tokens may be more than are taken: another peer's network could hold them.
            if (taken) assert.ok(refused(bytes), `${length} ${first}`);
            if (exact) assert.equal(taken, refused(bytes), `${length} ${first}`);
          }
        }
      }
    });

    test("an empty payload, where nothing needs to be proven", () => {
      const gate = machine(form, peer, { proof: { kind: "none" } });
      assert.equal(fate(gate, Buffer.alloc(0)), "queue");
      assert.equal(fate(gate, Buffer.alloc(0), stranger), "queue");
    });

    test("proofs by key of every length, whatever the signature begins with; data of that length passes", () => {
      const gate = machine(form, peer, {});
      for (let length = 0; length <= 300; length++) {
        const proof = Buffer.alloc(length, 0x3c);
        if (length >= 73) proof.writeUIntBE(NOW, 64, 5);
        for (let first = 0; first < 256; first += 5) {
          if (length > 0) proof[0] = first;
          const recognised = length >= 73 && length <= 168;
          // One in 16 of the longer ones passes as data where any inner source may come.
          if (length > 73 && anySource && first >> 4 === 4) continue;
          if (recognised) {
            assert.equal(fate(gate, proof), "queue", `${length} ${first}`);
            assert.equal(fate(gate, proof, stranger), "queue", `${length} ${first}`);
          } else {
            assert.equal(fate(gate, proof, stranger), "drop", `${length} ${first}`);
          }
        }
        if (length < 20) continue;
        const data = likePacket(length);
        data[0] = 0x45;
        assert.equal(fate(gate, data), "accept", `data of ${length} bytes`);
        // Of who has moved and not said so yet: nobody looks at it.
        if (length !== 73) assert.equal(fate(gate, data, stranger), "drop", `${length}`);
      }
    });

    test("answers to what we sent, from the peer's endpoint alone", () => {
      const seed: Identity = { kind: "key", seed: new Secret(Buffer.alloc(32)) };
      const dial = (name: string, over: Partial<PeerConfig> = {}) => dialled(name, over);
      const byKey = machine(form, dial, { identity: seed });
      for (let first = 0; first < 256; first++) {
        const answer = Buffer.alloc(73, 0x3c);
        answer[0] = first;
        assert.equal(fate(byKey, answer), "queue");
        if (form.others === undefined) assert.equal(fate(byKey, answer, stranger), "drop");
      }
      for (let length = 1; length <= 1000; length += 7) {
        const sent = new Secret(Buffer.alloc(length, "t"));
        const byToken = machine(form, dial, { identity: { kind: "token", token: sent } });
        assert.equal(fate(byToken, sent.reveal()), "queue", `${length}`);
        if (form.others === undefined)
          assert.equal(fate(byToken, sent.reveal(), stranger), "drop", `${length}`);
        const data = likePacket(Math.max(20, length));
        data[0] = 0x45;
        assert.equal(fate(byToken, data), "accept", `data of ${length} bytes`);
      }
    });
  });
}
