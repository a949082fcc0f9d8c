import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeChain, dumpChains, newChain } from "../../../../src/kernel/nftables/chain.ts";
import {
  NFPROTO_IPV4,
  NFT_META_IIFNAME,
  NFT_META_MARK,
  NFT_MSG_NEWGEN,
} from "../../../../src/kernel/nftables/constants.ts";
import type { Verdict } from "../../../../src/kernel/nftables/data.ts";
import {
  decodeElements,
  deleteElements,
  dumpElements,
  elementBytes,
  newElements,
} from "../../../../src/kernel/nftables/element.ts";
import type { Expression } from "../../../../src/kernel/nftables/expression.ts";
import {
  decodeGeneration,
  getGeneration,
  messageType,
} from "../../../../src/kernel/nftables/message.ts";
import type { Chain, Element, NftSet } from "../../../../src/kernel/nftables/objects.ts";
import { decodeRule, dumpRules, newRule } from "../../../../src/kernel/nftables/rule.ts";
import { decodeSet, dumpSets, newSet } from "../../../../src/kernel/nftables/set.ts";
import { decodeTable, dumpTables, newTable } from "../../../../src/kernel/nftables/table.ts";
import { MalformedMessage } from "../../../../src/netlink/attributes.ts";
import type { Message, Request } from "../../../../src/netlink/request.ts";

const TABLE = { family: NFPROTO_IPV4, name: "t" };

/** What the kernel would send of it. */
const back = ({ type, payload }: Request): Message => ({
  type,
  flags: 0,
  sequence: 1,
  payload: Buffer.from(payload),
});

function again(expressions: readonly Expression[], comment?: string): unknown {
  const rule = { expressions, comment };
  return decodeRule(TABLE, back(newRule(TABLE, "c", rule)))?.rule.expressions;
}

describe("expressions come back as they were sent", () => {
  const verdicts: Verdict[] = [
    { code: "accept" },
    { code: "drop" },
    { code: "return" },
    { code: "continue" },
    { code: "jump", chain: "x" },
    { code: "goto", chain: "y" },
  ];
  const limit = { kind: "limit", of: "bytes", rate: 7, unit: 3600, burst: 9, over: true } as const;
  const counter = { kind: "counter", packets: 5n, bytes: 2n ** 40n } as const;
  const field = { base: "transport", offset: 20, length: 4 } as const;
  const all: Expression[] = [
    ...verdicts.map((verdict): Expression => ({ kind: "verdict", verdict })),
    { kind: "data", to: 3, value: "00112233" },
    { kind: "meta", key: NFT_META_IIFNAME, to: 4 },
    { kind: "meta-write", key: NFT_META_MARK, from: 4 },
    { kind: "tproxy", family: NFPROTO_IPV4, port: 8 },
    { kind: "ct", key: 0, to: 0 },
    { kind: "rt", key: 3, to: 2 },
    { kind: "byteorder", from: 2, to: 3, size: 2 },
    { kind: "tcp-option-write", option: 2, offset: 2, length: 2, from: 3 },
    { kind: "payload", ...field, to: 15 },
    { kind: "payload", base: "link", offset: 0, length: 6, to: 1 },
    { kind: "payload-write", ...field, from: 1, checksum: { type: "none" } },
    {
      kind: "payload-write",
      ...field,
      base: "network",
      from: 8,
      checksum: { type: "inet", offset: 10, pseudoHeader: true },
    },
    ...(["eq", "neq", "lt", "lte", "gt", "gte"] as const).map(
      (operator): Expression => ({ kind: "cmp", from: 0, operator, value: "0a" }),
    ),
    { kind: "bitwise", from: 0, to: 12, mask: "ff00", xor: "0001" },
    { kind: "range", from: 0, invert: true, first: "0001", last: "0009" },
    { kind: "lookup", set: "s", from: 0, to: undefined, invert: true },
    { kind: "lookup", set: "s", from: 0, to: "verdict", invert: false },
    { kind: "lookup", set: "s", from: 0, to: 5, invert: false },
    { kind: "queue", number: 65_535, bypass: true },
    { kind: "queue", number: 0, bypass: false },
    { kind: "notrack" },
    { kind: "hash", from: 0, to: 4, length: 13, seed: 7 },
    limit,
    counter,
    {
      kind: "dynset",
      set: "s",
      operation: "add",
      from: 2,
      timeout: 5000,
      invert: true,
      expressions: [],
    },
    {
      kind: "dynset",
      set: "s",
      operation: "update",
      from: 2,
      timeout: 0,
      invert: false,
      expressions: [limit, counter],
    },
  ];
  for (const expression of all) {
    test(
      JSON.stringify(expression, (_, value) => (typeof value === "bigint" ? `${value}n` : value)),
      () => {
        assert.deepEqual(again([expression]), [expression]);
      },
    );
  }

  test("all at once, with a comment", () => {
    assert.deepEqual(again(all, "why"), all);
    const rule = newRule(TABLE, "c", { expressions: [], comment: "why" });
    assert.equal(decodeRule(TABLE, back(rule))?.rule.comment, "why");
  });
});

describe("what we never write", () => {
  const data = (name: string, ...attributes: readonly [number, string][]): Buffer => {
    const attribute = (number: number, payload: Buffer): Buffer => {
      const bytes = Buffer.alloc(4 + ((payload.length + 3) & ~3));
      bytes.writeUInt16LE(4 + payload.length, 0);
      bytes.writeUInt16LE(number, 2);
      payload.copy(bytes, 4);
      return bytes;
    };
    const inside = attributes.map(([number, hex]) => attribute(number, Buffer.from(hex, "hex")));
    const expression = Buffer.concat([
      attribute(1, Buffer.from(`${name}\0`)),
      attribute(2, Buffer.concat(inside)),
    ]);
    return Buffer.concat([
      Buffer.from([NFPROTO_IPV4, 0, 0, 0]),
      attribute(1, Buffer.from("t\0")),
      attribute(2, Buffer.from("c\0")),
      attribute(4, attribute(1, expression)),
    ]);
  };
  const decoded = (payload: Buffer): unknown =>
    decodeRule(TABLE, { type: messageType(6), flags: 0, sequence: 1, payload })?.rule.expressions;

  test("is unknown, not an error", () => {
    const word = "00000001";
    const unknown = (name: string) => [{ kind: "unknown", name }];
    assert.deepEqual(decoded(data("masq")), unknown("masq"));
    assert.deepEqual(decoded(data("meta", [2, word])), unknown("meta"));
    assert.deepEqual(decoded(data("tproxy", [1, word], [2, word])), unknown("tproxy"));
    assert.deepEqual(decoded(data("ct", [2, word])), unknown("ct"));
    assert.deepEqual(decoded(data("bitwise", [1, word], [2, word], [6, word])), unknown("bitwise"));
    assert.deepEqual(decoded(data("payload", [1, word], [2, "00000003"])), unknown("payload"));
    assert.deepEqual(
      decoded(data("payload", [5, word], [2, word], [3, word], [4, word], [6, "00000002"])),
      unknown("payload"),
    );
    assert.deepEqual(
      decoded(data("dynset", [1, "7300"], [3, "00000002"], [4, word])),
      unknown("dynset"),
    );
    assert.throws(() =>
      newRule(TABLE, "c", { expressions: [{ kind: "unknown", name: "masq" }], comment: undefined }),
    );
  });

  test("what is malformed names its path", () => {
    const fails = (payload: Buffer, message: RegExp): void =>
      assert.throws(
        () => decoded(payload),
        (error) => error instanceof MalformedMessage && message.test(error.message),
      );
    fails(
      data("cmp", [1, "01"]),
      /NFTA_RULE_EXPRESSIONS\/NFTA_LIST_ELEM\/cmp\/.*NFTA_CMP_SREG: want 4 bytes, got 1/,
    );
    fails(data("cmp", [1, "00000001"], [2, "00000063"]), /NFTA_CMP_OP: unknown operator 99/);
    fails(data("lookup"), /NFTA_LOOKUP_SET: missing/);
    fails(data("payload", [1, "00000063"]), /NFTA_PAYLOAD_DREG: there is no register 99/);
    fails(data("immediate", [1, "00000000"]), /NFTA_IMMEDIATE_DATA: missing/);
    fails(data("queue", [1, "00"]), /NFTA_QUEUE_NUM: want 2 bytes, got 1/);
  });
});

describe("tables, chains, sets and elements come back as they were sent", () => {
  test("tables", () => {
    const table = { kind: "table", name: "t", comment: "ipipoud 1" } as const;
    const sent = back(newTable(NFPROTO_IPV4, table));
    assert.deepEqual(decodeTable(NFPROTO_IPV4, sent), table);
    assert.equal(decodeTable(10, sent), undefined);
    const bare = { ...table, comment: undefined };
    assert.deepEqual(decodeTable(NFPROTO_IPV4, back(newTable(NFPROTO_IPV4, bare))), bare);
  });

  test("chains", () => {
    const plain: Chain = { kind: "chain", name: "c", base: undefined, comment: "x", rules: [] };
    const base: Chain = {
      ...plain,
      comment: undefined,
      base: { type: "route", hook: 3, priority: -310, policy: "drop" },
    };
    for (const chain of [plain, base]) {
      assert.deepEqual(decodeChain(TABLE, back(newChain(TABLE, chain))), chain);
      assert.equal(decodeChain({ ...TABLE, name: "u" }, back(newChain(TABLE, chain))), undefined);
    }
  });

  const map: NftSet = {
    kind: "set",
    name: "m",
    key: [
      { type: "ipv4_addr", bytes: 4 },
      { type: "inet_service", bytes: 2 },
      { type: "integer", bytes: 4 },
    ],
    data: { type: "verdict", bytes: 0 },
    timeouts: true,
    defaultTimeout: 5000,
    dynamic: true,
    size: 77,
    expressions: [{ kind: "counter", packets: 0n, bytes: 0n }],
    userdata: "0004",
  };

  test("sets and maps", () => {
    const two: NftSet = {
      ...map,
      key: [{ type: "ifname", bytes: 16 }],
      data: { type: "inet_service", bytes: 2 },
      timeouts: false,
      defaultTimeout: 0,
      size: 0,
      expressions: [
        { kind: "limit", of: "packets", rate: 1, unit: 1, burst: 5, over: false },
        { kind: "counter", packets: 0n, bytes: 0n },
      ],
      userdata: "",
    };
    for (const set of [map, two, { ...two, data: undefined, expressions: [] }]) {
      assert.deepEqual(decodeSet(TABLE, back(newSet(TABLE, set))), set);
    }
    // Somebody's set, whose type number doesn't fit its length.
    const odd = back(newSet(TABLE, { ...map, key: [{ type: "other", bytes: 9 }] }));
    assert.deepEqual(decodeSet(TABLE, odd)?.key, [{ type: "other", bytes: 9 }]);
  });

  test("elements, many in a message", () => {
    const element: Element = {
      kind: "element",
      set: "m",
      key: "c633640200500000",
      data: { code: "goto", chain: "elsewhere" },
      timeout: 60_000,
      expires: 30_000,
      counter: undefined,
    };
    const elements = [
      element,
      { ...element, key: "c633640300500000", data: "0050", timeout: 0, expires: undefined },
      { ...element, key: "c633640400500000", data: undefined },
    ];
    const sent = newElements(TABLE, "m", elements);
    assert.deepEqual(decodeElements(TABLE, back(sent)), elements);
    assert.deepEqual(
      decodeElements(TABLE, back(newElements(TABLE, "m", [{ ...element, expires: 70_000 }]))),
      [{ ...element, expires: undefined }],
    );
    const estimated = elements.reduce((sum, one) => sum + elementBytes(one), 0);
    assert.ok(sent.payload.length <= estimated + 32 && estimated <= sent.payload.length + 32);
    assert.equal(decodeElements(TABLE, back(deleteElements(TABLE, "m", elements))).length, 0);
  });

  test("a generation", () => {
    const payload = Buffer.from("000000000800010000000007", "hex");
    const message = { type: messageType(NFT_MSG_NEWGEN), flags: 0, sequence: 1, payload };
    assert.equal(decodeGeneration(message), 7);
    assert.equal(decodeGeneration({ ...message, type: 2 }), undefined);
    assert.equal(getGeneration().type, messageType(16));
  });

  test("dumps ask for a table, or for all of a family", () => {
    const dumps = [
      dumpTables(NFPROTO_IPV4),
      dumpChains(TABLE),
      dumpRules(TABLE),
      dumpSets(TABLE),
      dumpElements(TABLE, "m"),
    ];
    assert.deepEqual(
      dumps.map(({ type, flags, payload }) => [type & 0xff, flags, payload.length]),
      [
        [1, 0x300, 4],
        [4, 0x300, 4],
        [7, 0x300, 12],
        [10, 0x300, 12],
        [13, 0x300, 20],
      ],
    );
  });
});
