import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeRule, deleteRule, newRule, RTM_NEWRULE } from "../../../src/kernel/rule.ts";
import { parsePrefix } from "../../../src/net/address.ts";
import type { Rule } from "../../../src/net/objects.ts";
import { MalformedMessage } from "../../../src/netlink/attributes.ts";
import { assertSameAs, golden } from "../../support/golden.ts";

const header = 12;

function rule(priority: number, table: number, rest: Partial<Rule> = {}): Rule {
  return {
    priority,
    from: undefined,
    to: undefined,
    fwmark: undefined,
    invert: false,
    table,
    suppressPrefixLength: undefined,
    protocol: 77,
    ...rest,
  };
}

const marked = rule(100, 1000, { fwmark: { value: 0x10, mask: 0xff }, invert: true });
const suppressing = rule(99, 254, { suppressPrefixLength: 0 });
const prefixes = rule(98, 100, {
  from: parsePrefix("10.0.0.0/8"),
  to: parsePrefix("192.0.2.0/24"),
});

test("adding and deleting is what ip sends", () => {
  assertSameAs("rule-add-fwmark", newRule(marked), { header });
  assertSameAs("rule-add-suppress", newRule(suppressing), { header });
  assertSameAs("rule-add-prefixes", newRule(prefixes), { header });
  const except = { header: "ip leaves the action open, we say FR_ACT_TO_TBL" };
  assertSameAs("rule-del", deleteRule(prefixes), { header, except });
});

test("what ip rule show gets; a rule with selectors that we have no words for is left out", () => {
  const found = golden("rule-show").flatMap((message) => decodeRule(message) ?? []);
  assert.deepEqual(found, [
    rule(0, 255, { protocol: 2 }),
    prefixes,
    suppressing,
    marked,
    rule(32766, 254, { protocol: 2 }),
    rule(32767, 253, { protocol: 2 }),
  ]);
});

test("what is malformed", () => {
  const message = (payload: Buffer) => ({ type: RTM_NEWRULE, flags: 0, sequence: 1, payload });
  assert.throws(() => decodeRule(message(Buffer.alloc(11))), MalformedMessage);
  const payload = Buffer.from(newRule(marked).payload);
  payload.writeUInt16LE(3, 12);
  assert.throws(() => decodeRule(message(payload)), MalformedMessage);
  assert.equal(decodeRule({ ...message(payload), type: 16 }), undefined);
});
