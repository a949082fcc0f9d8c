import assert from "node:assert/strict";
import { test } from "node:test";
import { ipAddress } from "../../../src/net/address.ts";
import {
  attr,
  bytes,
  encoded,
  flag,
  ip,
  listOf,
  MalformedMessage,
  nested,
  s32,
  s32be,
  string,
  table,
  text,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  type Values,
  walk,
} from "../../../src/netlink/attributes.ts";

const INNER = table({ small: attr(1, u8, "X_SMALL"), name: attr(2, string, "X_NAME") });

const ALL = table({
  u8: attr(1, u8, "X_U8"),
  u16: attr(2, u16, "X_U16"),
  u32: attr(3, u32, "X_U32"),
  u64: attr(4, u64, "X_U64"),
  s32: attr(5, s32, "X_S32"),
  u16be: attr(6, u16be, "X_U16BE"),
  u32be: attr(7, u32be, "X_U32BE"),
  s32be: attr(8, s32be, "X_S32BE"),
  u64be: attr(9, u64be, "X_U64BE"),
  string: attr(10, string, "X_STRING"),
  text: attr(11, text, "X_TEXT"),
  bytes: attr(12, bytes, "X_BYTES"),
  flag: attr(13, flag, "X_FLAG"),
  v4: attr(14, ip, "X_V4"),
  v6: attr(15, ip, "X_V6"),
  nested: attr(16, nested(INNER), "X_NESTED"),
  list: attr(17, listOf(attr(1, nested(INNER), "X_ITEM")), "X_LIST"),
  encoded: attr(18, encoded, "X_ENCODED"),
});

test("every type comes out as it went in", () => {
  const values: Values<typeof ALL.attributes> = {
    u8: 255,
    u16: 0x1234,
    u32: 0xffff_fffe,
    u64: 0xffff_ffff_ffff_fffdn,
    s32: -2,
    u16be: 0x1234,
    u32be: 0x1234_5678,
    s32be: -310,
    u64be: 3_600_000n,
    string: "ipipou0",
    text: "Schlüssel",
    bytes: Buffer.from([1, 2, 3, 4, 5]),
    flag: true,
    v4: ipAddress("192.0.2.1"),
    v6: ipAddress("2001:db8::1"),
    nested: { small: 1, name: "x" },
    list: [{ small: 1 }, {}, { name: "three" }],
    encoded: INNER.encode({ small: 7 }),
  };
  const wire = ALL.encode(values);
  assert.equal(wire.length, ALL.size(values));
  assert.equal(wire.length % 4, 0);
  assert.deepEqual(ALL.decode(wire), values);
});

test("bytes on the wire; those in host order are a little-endian host's", () => {
  const hex = (values: Values<typeof ALL.attributes>): string => ALL.encode(values).toString("hex");
  assert.equal(hex({ u8: 1 }), "0500010001000000");
  assert.equal(hex({ u16: 0x1234 }), "0600020034120000");
  assert.equal(hex({ u16be: 0x1234 }), "0600060012340000");
  assert.equal(hex({ u32be: 1 }), "0800070000000001");
  assert.equal(hex({ s32be: -310 }), "08000800fffffeca");
  assert.equal(hex({ string: "ab" }), "07000a0061620000");
  assert.equal(hex({ text: "ab" }), "06000b0061620000");
  assert.equal(hex({ flag: true }), "04000d00");
  assert.equal(hex({ v4: ipAddress("192.0.2.1") }), "08000e00c0000201");
  assert.equal(hex({ nested: { small: 1 } }), "0c0010800500010001000000");
  assert.equal(hex({ list: [{ small: 1 }] }), "100011800c0001800500010001000000");
});

test("order is that of the values, and undefined is left out", () => {
  const wire = ALL.encode({ u16: 2, u8: undefined, u32: 3 });
  const seen: number[] = [];
  walk(wire, 0, (number) => seen.push(number));
  assert.deepEqual(seen, [2, 3]);
});

test("room for a fixed struct, zeroed and padded to four", () => {
  const wire = ALL.encode({ u8: 1 }, 5);
  assert.equal(wire.length, 8 + 8);
  assert.deepEqual(ALL.decode(wire, 8), { u8: 1 });
});

test("unknown attributes are ignored, the last of two counts, flags don't", () => {
  const wire = Buffer.concat([
    table({ x: attr(99, u32, "X_NEW") }).encode({ x: 1 }),
    ALL.encode({ u8: 1 }),
    ALL.encode({ u8: 2 }),
  ]);
  wire.writeUInt16LE(1 | 0x4000, 8 + 2); // NLA_F_NET_BYTEORDER
  assert.deepEqual(ALL.decode(wire), { u8: 2 });
});

test("padding may be missing at the end, and three bytes may be left over", () => {
  const wire = ALL.encode({ u8: 9 });
  assert.deepEqual(ALL.decode(wire.subarray(0, 5)), { u8: 9 });
  assert.deepEqual(ALL.decode(Buffer.concat([wire, Buffer.alloc(3)])), { u8: 9 });
});

test("strings end at the first NUL, or at their end", () => {
  const raw = table({ raw: attr(10, bytes, "X_RAW") });
  const decoded = (content: string): unknown =>
    ALL.decode(raw.encode({ raw: Buffer.from(content, "latin1") })).string;
  assert.equal(decoded("ab\0cd"), "ab");
  assert.equal(decoded("ab"), "ab");
  assert.equal(decoded(""), "");
});

test("a known attribute that is malformed is named by its path", () => {
  const raw = table({ raw: attr(16, encoded, "X_RAW") });
  const wire = raw.encode({ raw: Buffer.from([8, 0, 1, 0, 1, 2, 3, 4]) });
  assert.throws(
    () => ALL.decode(wire),
    (error) => {
      assert.ok(error instanceof MalformedMessage);
      assert.equal(error.message, "X_NESTED/X_SMALL: want 1 byte, got 4");
      assert.equal(error.path, "X_NESTED/X_SMALL");
      return true;
    },
  );
});

test("lengths that don't fit", () => {
  const problem = (hex: string): RegExp | undefined => {
    try {
      ALL.decode(Buffer.from(hex, "hex"));
      return undefined;
    } catch (error) {
      assert.ok(error instanceof MalformedMessage);
      return new RegExp(error.message);
    }
  };
  assert.match("attribute 1 says 3 bytes where 4 are left", problem("03000100") ?? /^$/);
  assert.match("attribute 1 says 9 bytes where 8 are left", problem("0900010000000000") ?? /^$/);
  assert.throws(() => ALL.decode(Buffer.alloc(3), 4), { message: "want 4 bytes, got 3" });
});

test("what is too much for an attribute, or in no table, is refused when encoding", () => {
  assert.throws(() => ALL.encode({ bytes: Buffer.alloc(65_532) }), {
    name: "RangeError",
    message: "X_BYTES: 65532 bytes, an attribute holds 65531",
  });
  assert.throws(() => ALL.encode({ nothing: 1 } as never), TypeError);
  assert.throws(() => ALL.encode({ u8: 256 }), RangeError);
});
