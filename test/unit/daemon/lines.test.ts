import assert from "node:assert/strict";
import { test } from "node:test";
import { Lines } from "../../../src/daemon/lines.ts";

test("lines come out whole, however they are cut", () => {
  const text = Buffer.from("ä\n\nbcd\nrest");
  for (let size = 1; size <= text.length; size++) {
    const lines = new Lines(100);
    const got: string[] = [];
    for (let at = 0; at < text.length; at += size) {
      got.push(...(lines.push(text.subarray(at, at + size)) ?? ["too long"]));
    }
    assert.deepEqual(got, ["ä", "", "bcd"]);
  }
});

test("a line's length is bounded, with and without its end", () => {
  assert.deepEqual(new Lines(4).push(Buffer.from("abc\n")), ["abc"]);
  assert.equal(new Lines(4).push(Buffer.from("abcd\n")), undefined);
  const lines = new Lines(4);
  assert.deepEqual(lines.push(Buffer.from("ab")), []);
  assert.equal(lines.push(Buffer.from("cd")), undefined);
});
