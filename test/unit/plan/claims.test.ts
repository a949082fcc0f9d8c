import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPrefix, parsePrefix } from "../../../src/net/address.ts";
import { narrowerOfOthers } from "../../../src/plan/claims.ts";
import { peer, tunnel } from "../../support/configuration.ts";

const claims = (networks: Record<string, string[]>) => {
  const peers = Object.entries(networks).map(([name, texts]) =>
    peer(name, { allowedIPs: texts.map((text) => parsePrefix(text) ?? assert.fail(text)) }),
  );
  const found = narrowerOfOthers(tunnel("h", peers));
  return Object.fromEntries([...found].map(([{ name }, list]) => [name, list.map(formatPrefix)]));
};

test("networks side by side claim nothing of each other", () => {
  assert.deepEqual(claims({ a: ["10.0.0.0/24"], b: ["10.0.1.0/24", "10.0.2.1/32"] }), {});
});

test("a network inside another's is not the other's to use", () => {
  assert.deepEqual(claims({ a: ["0.0.0.0/0"], b: ["10.0.0.0/8"], c: ["10.1.0.0/16"] }), {
    a: ["10.0.0.0/8"],
    b: ["10.1.0.0/16"],
  });
});

test("between its own networks the narrowest one around decides", () => {
  assert.deepEqual(claims({ a: ["0.0.0.0/0", "10.1.1.0/24"], b: ["10.0.0.0/8"] }), {
    a: ["10.0.0.0/8"],
    b: ["10.1.1.0/24"],
  });
  assert.deepEqual(claims({ a: ["0.0.0.0/0", "10.0.0.0/8"] }), {});
});
