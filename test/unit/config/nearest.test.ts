import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearest } from "../../../src/config/nearest.ts";

describe("nearest", () => {
  it("counts insertions, deletions, replacements and swaps of neighbours", () => {
    const distance = (a: string, b: string) => nearest(a, [b])?.distance;
    assert.equal(distance("token", "token"), 0);
    assert.equal(distance("tokn", "token"), 1);
    assert.equal(distance("tokenn", "token"), 1);
    assert.equal(distance("tocen", "token"), 1);
    assert.equal(distance("toekn", "token"), 1);
    assert.equal(distance("TOKEN", "token"), 0);
    assert.equal(distance("", "token"), 5);
    assert.equal(distance("kitten", "sitting"), 3);
  });

  it("finds the nearest of several, the first of equals", () => {
    assert.equal(nearest("adress", ["addresses", "address", "mtu"])?.name, "address");
    assert.equal(nearest("x", ["a", "b"])?.name, "a");
    assert.equal(nearest("x", []), undefined);
  });
});
