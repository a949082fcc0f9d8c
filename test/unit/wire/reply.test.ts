import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Identity, PeerConfig } from "../../../src/config/model.ts";
import { Secret } from "../../../src/config/secret.ts";
import { buildProof } from "../../../src/wire/proof.ts";
import { buildReply, judgeReply, replyLength } from "../../../src/wire/reply.ts";
import { loadSignatures } from "../../../src/wire/signatures.ts";
import { dialled, peer } from "../../support/configuration.ts";

const signatures = await loadSignatures();
const now = 1_700_000_000_500;
const salt = Buffer.from("salt");
const secret = new Secret(Buffer.from("between us"));
const seeds = { client: randomBytes(32), server: randomBytes(32) };
const keyOf = (seed: Uint8Array): Identity => ({ kind: "key", seed: new Secret(seed) });
const provenBy = (seed: Uint8Array) =>
  ({ kind: "key", publicKey: signatures.publicKey(seed) }) as const;
const token: Identity = { kind: "token", token: new Secret(Buffer.from("open sesame")) };

/** How the client sees the server, and the server the client. */
const client = (over: Partial<PeerConfig> = {}) =>
  dialled("server", { identity: keyOf(seeds.client), secret, ...over });
const server = (over: Partial<PeerConfig> = {}) =>
  peer("client", { proof: provenBy(seeds.client), secret, ...over });

const reply = (request: Uint8Array, at: PeerConfig, time = now): Buffer =>
  buildReply(request, at, time, randomBytes(4), signatures);
const request = (at: PeerConfig): Buffer =>
  buildProof(at.identity, at.secret, now, salt, signatures);
const judge = (payload: Uint8Array, at: PeerConfig, sent?: Uint8Array, mark = undefined) =>
  judgeReply(payload, at, sent === undefined ? [] : [sent], mark, now, signatures);

function reasonOf(judged: ReturnType<typeof judge>): string {
  return judged.verdict === "other" ? judged.reason : "(an answer)";
}

test("with both keys: a fresh proof of ours, which the other side's public key of us verifies", () => {
  const sent = request(client());
  const answer = reply(sent, server({ identity: keyOf(seeds.server) }));
  assert.equal(answer.length, 73);
  assert.notDeepEqual(answer, Buffer.from(sent).reverse());
  const at = client({ proof: provenBy(seeds.server) });
  const judged = judge(answer, at, sent);
  assert.equal(judged.verdict, "answer");
  assert.ok(judged.verdict === "answer");
  const again = judgeReply(answer, at, [sent], judged.mark, now, signatures);
  assert.match(reasonOf(again), /not fresh: .*copy/);
});

test("else the request in reverse: keys without one of ours, tokens, nothing", () => {
  const sent = request(client());
  assert.deepEqual(reply(sent, server()), Buffer.from(sent).reverse());
  const byToken = { proof: token, identity: keyOf(seeds.server) } as const;
  assert.deepEqual(reply(token.token.reveal(), server(byToken)), Buffer.from("emases nepo"));
  assert.deepEqual(reply(Buffer.alloc(0), server({ proof: { kind: "none" } })), Buffer.alloc(0));
});

test("never longer than what asked", () => {
  const both = server({ identity: keyOf(seeds.server) });
  for (let length = 0; length <= 168; length++)
    assert.ok(reply(Buffer.alloc(length), both).length <= length);
});

test("without a public key of the other side, what we sent last in reverse counts", () => {
  for (const identity of [keyOf(seeds.client), token]) {
    const at = client({ identity });
    const sent = request(at);
    const answer = reply(sent, server());
    assert.equal(judge(answer, at, sent).verdict, "answer");
    assert.match(reasonOf(judge(sent, at, sent)), /not to what we sent last/);
    assert.match(reasonOf(judge(answer.subarray(1), at, sent)), /not to what we sent last/);
    assert.match(reasonOf(judge(answer, at)), /never asked/);
  }
});

test("with one, only its signature does: fresh, by its key, with our secret", () => {
  const sent = request(client());
  const at = client({ proof: provenBy(seeds.server) });
  const by = (over: Partial<PeerConfig>, time = now) =>
    reasonOf(
      judge(reply(sent, server({ identity: keyOf(seeds.server), ...over }), time), at, sent),
    );
  assert.equal(by({}), "(an answer)");
  assert.match(by({ identity: keyOf(randomBytes(32)) }), /did not sign/);
  assert.match(by({ secret: new Secret(Buffer.from("other")) }), /did not sign/);
  assert.match(by({}, now - 400_000), /not fresh: .*old/);
  assert.match(by({}, now + 400_000), /not fresh: .*ahead/);
  assert.match(by({ identity: { kind: "none" } }), /without a signature/);
  // Our own proof, sent back to us.
  assert.match(reasonOf(judge(sent, at, sent)), /did not sign/);
  for (let length = 0; length < 200; length++)
    assert.equal(judge(randomBytes(length), at, sent).verdict, "other");
});

test("a signed answer where no public key of the other side is known says what is missing", () => {
  const at = client();
  const sent = request(at);
  const answer = reply(sent, server({ identity: keyOf(seeds.server) }));
  assert.match(reasonOf(judge(answer, at, sent)), /add its publicKey/);
});

test("how long an answer can be", () => {
  assert.equal(replyLength(client()), 73);
  assert.equal(replyLength(client({ identity: token })), 11);
  assert.equal(replyLength(client({ identity: token, proof: provenBy(seeds.server) })), 73);
  assert.equal(replyLength(client({ identity: { kind: "none" } })), undefined);
});
