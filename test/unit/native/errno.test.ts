import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAddon } from "../../../src/native/addon.ts";

const addon = loadAddon();

test("names and texts of errno", () => {
  assert.equal(addon.errnoName(1), "EPERM");
  assert.equal(addon.errnoText(1), "Operation not permitted");
  assert.equal(addon.errnoName(105), "ENOBUFS");
  // Never seen in user space but by netlink.
  assert.equal(addon.errnoName(524), "ENOTSUPP");
});

test("a number without a name still says something", () => {
  assert.equal(addon.errnoName(4000), "E4000");
  assert.equal(addon.errnoText(4000), "Unknown error 4000");
});
