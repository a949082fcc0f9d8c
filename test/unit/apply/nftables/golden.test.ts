/**
 * Our messages against nft's: test/golden/nft-ruleset.nft is our own ruleset as nft words it, and what
 * nft sends for it must say the same as what we send.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describe as describeObject } from "../../../../src/apply/nftables/describe.ts";
import { diffRuleset } from "../../../../src/apply/nftables/diff.ts";
import { PROTOCOL_TCP, protocolIs } from "../../../../src/apply/nftables/fields.ts";
import { observeRuleset } from "../../../../src/apply/nftables/observe.ts";
import { batches } from "../../../../src/apply/nftables/requests.ts";
import { ruleset } from "../../../../src/apply/nftables/ruleset.ts";
import { deleteChain } from "../../../../src/kernel/nftables/chain.ts";
import {
  NFPROTO_IPV4,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
  NFT_RT_TCPMSS,
} from "../../../../src/kernel/nftables/constants.ts";
import { deleteElements } from "../../../../src/kernel/nftables/element.ts";
import type { Expression } from "../../../../src/kernel/nftables/expression.ts";
import { batchBegin, batchEnd, messageType } from "../../../../src/kernel/nftables/message.ts";
import { decodeRule, flushChain, newRule } from "../../../../src/kernel/nftables/rule.ts";
import { deleteSet } from "../../../../src/kernel/nftables/set.ts";
import { deleteTable } from "../../../../src/kernel/nftables/table.ts";
import { walk } from "../../../../src/netlink/attributes.ts";
import { NLM_F_ACK, NLM_F_EXCL, NLM_F_REQUEST } from "../../../../src/netlink/constants.ts";
import type { Message, Request } from "../../../../src/netlink/request.ts";
import { golden } from "../../../support/golden.ts";
import { goldenGate } from "./gates.ts";

const TABLE = { family: NFPROTO_IPV4, name: "ipipou" };
const NFGENMSG = 4;
const BATCH = [16, 17];

/** Attributes by number and content; those of one number stay in order. */
type Tree = readonly (readonly [number: number, content: string | Tree])[];

function tree(bytes: Buffer, from: number): Tree {
  const found: [number, string | Tree][] = [];
  walk(bytes, from, (number, content, nested) => {
    found.push([number, nested ? tree(content, 0) : content.toString("hex")]);
  });
  return found.sort(([a], [b]) => a - b);
}

/**
 * Numbers by which nft names a set within its batch; we name sets by their names alone. In NEWSETELEM
 * the numbers of the elements, which nft counts through, and the kernel doesn't read.
 */
function comparable({ type, payload }: Pick<Message, "type" | "payload">): unknown {
  const attributes = tree(payload, NFGENMSG).map(([number, content]) => {
    if (type === messageType(NFT_MSG_NEWSET) && number === 10) return [number, "(id)"];
    if (type === messageType(NFT_MSG_NEWSETELEM)) {
      if (number === 4) return undefined;
      if (number === 3 && typeof content !== "string") {
        return [number, content.map(([, element]) => JSON.stringify(element)).sort()];
      }
    }
    if (type === messageType(NFT_MSG_NEWRULE) && number === 4) {
      return [number, typeof content === "string" ? content : content.map(withoutSetId)];
    }
    return [number, content];
  });
  return { type, family: payload[0], attributes: attributes.filter((one) => one !== undefined) };
}

/** NFTA_LOOKUP_SET_ID, NFTA_DYNSET_SET_ID: by the expression's name. */
const SET_IDS: Readonly<Record<string, number>> = { lookup: 4, dynset: 2 };

function withoutSetId([, expression]: Tree[number]): unknown {
  if (typeof expression === "string") return expression;
  const [name, data] = expression.map(([, content]) => content);
  const text = typeof name === "string" ? Buffer.from(name, "hex").toString("latin1") : "";
  const id = SET_IDS[text.replace("\0", "")];
  return [
    name === undefined ? "" : text.replace("\0", ""),
    typeof data === "string" ? data : data?.filter(([number]) => number !== id),
  ];
}

/** nft has no words for these chains' payload writes that don't compare the protocol again. */
const CHECKSUMS = ["from-hub-20001", "ids-hub-20001"];
const isNotChecksum = (rule: string): boolean =>
  !CHECKSUMS.some((name) => rule.includes(`[2,"${Buffer.from(`${name}\0`).toString("hex")}"]`));

function text(messages: readonly Pick<Message, "type" | "payload">[], kind: number): string[] {
  return messages
    .filter(({ type }) => type === messageType(kind))
    .map((message) => JSON.stringify(comparable(message)))
    .sort();
}

const asMessage = ({ type, payload }: Request) => ({ type, payload: Buffer.from(payload) });

describe("what nft sends", () => {
  const theirs = golden("nft-ruleset");
  const requests = batches(diffRuleset(TABLE.name, ruleset(goldenGate()), [])).flat();
  const ours = requests.map(asMessage);

  for (const [name, kind] of Object.entries({
    tables: NFT_MSG_NEWTABLE,
    sets: NFT_MSG_NEWSET,
    chains: NFT_MSG_NEWCHAIN,
    elements: NFT_MSG_NEWSETELEM,
    rules: NFT_MSG_NEWRULE,
  })) {
    test(`for ${name}`, () => {
      const wanted = text(theirs, kind).filter(isNotChecksum);
      assert.ok(wanted.length > 0);
      assert.deepEqual(text(ours, kind).filter(isNotChecksum), wanted);
    });
  }

  test("to write a port with its checksum", () => {
    const write = (messages: readonly Pick<Message, "type" | "payload">[]): unknown =>
      text(messages, NFT_MSG_NEWRULE)
        .filter((rule) => !isNotChecksum(rule))
        .flatMap((rule) => /\["payload",\[\[2,[^P]*?\]\]\]/.exec(rule) ?? []);
    assert.deepEqual(write(ours), write(theirs));
    assert.equal(String(write(ours)).includes('[6,"00000001"],[7,"00000006"]'), true);
  });

  test("to make things, with the same flags", () => {
    for (const request of requests) {
      const message = theirs.find(({ type }) => type === request.type);
      assert.ok(message);
      const ignored = NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL;
      if (request.type === messageType(NFT_MSG_NEWTABLE)) continue;
      assert.equal(request.flags & ~ignored, message.flags & ~ignored, request.operation);
    }
  });

  test("around a batch", () => {
    const [begin, end] = [
      theirs.find(({ type }) => type === 16),
      theirs.find(({ type }) => type === 17),
    ];
    assert.deepEqual(asMessage(batchBegin()), { type: 16, payload: begin?.payload });
    assert.deepEqual(asMessage(batchEnd()), { type: 17, payload: end?.payload });
    assert.equal(batchBegin(7).payload.length, 12);
  });

  test("to remove things", () => {
    const same = (file: string, request: Request): void => {
      const [message] = golden(file).filter(({ type }) => !BATCH.includes(type) && type > 0xa00);
      const sent = golden(file).filter(({ type }) => type === request.type);
      assert.ok(message);
      assert.deepEqual(sent.map(comparable), [comparable(asMessage(request))]);
    };
    const [element] = ruleset(goldenGate()).flatMap((object) =>
      object.kind === "element" && object.set === "dport-hub0" && object.key === "c6336402"
        ? [object]
        : [],
    );
    assert.ok(element);
    same("nft-element-delete", deleteElements(TABLE, "dport-hub0", [element]));
    same("nft-chain-flush", flushChain(TABLE, "auth-ipipou0"));
    same("nft-chain-delete", deleteChain(TABLE, "auth-ipipou0"));
    same("nft-set-delete", deleteSet(TABLE, "endpoints-ipipou0"));
    same("nft-table-delete", deleteTable(TABLE));
  });

  test("for TCP's segment size", () => {
    const expressions: Expression[] = [
      ...protocolIs(PROTOCOL_TCP),
      { kind: "rt", key: NFT_RT_TCPMSS, to: 0 },
      { kind: "byteorder", from: 0, to: 0, size: 2 },
      { kind: "tcp-option-write", option: 2, offset: 2, length: 2, from: 0 },
    ];
    const request = newRule(TABLE, "clamp", { expressions, comment: undefined });
    const sent = golden("nft-clamp").filter(({ type }) => type === request.type);
    assert.deepEqual(sent.map(comparable), [comparable(asMessage(request))]);
    const [message] = sent;
    assert.ok(message);
    assert.deepEqual(decodeRule(TABLE, message)?.rule.expressions, expressions);
  });
});

test("what the kernel answers to nft's listing is the ruleset that was loaded", async () => {
  const messages = golden("nft-list");
  const observed = await observeRuleset({ dump: () => Promise.resolve(messages) }, TABLE.name);
  assert.ok(observed.kind === "ours");
  // A dump of anything gives everything here, so elements come once for each set.
  const once = new Map(observed.objects.map((object) => [JSON.stringify(object, shown), object]));
  const left = diffRuleset(TABLE.name, ruleset(goldenGate()), [...once.values()]);
  assert.deepEqual(
    left.map(({ object, set }) => describeObject(object, set)),
    // nft compares the protocol twice there
    ["chain ids-hub-20001", "chain from-hub-20001"],
  );
});

function shown(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
