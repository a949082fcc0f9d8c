import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jsonSchema, knownKeys } from "../../../src/config/schema.ts";

interface Node {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly not?: object;
}

const root = jsonSchema() as Node;

function child(node: Node | undefined, key: string): Node {
  const found = node?.properties?.[key];
  assert.ok(found, key);
  return found;
}

function named(node: Node): Node {
  assert.ok(typeof node.additionalProperties === "object");
  return node.additionalProperties;
}

const tunnel = named(child(root, "tunnels"));
const peer = named(child(tunnel, "peers"));

describe("jsonSchema", () => {
  it("describes every key", () => {
    const walk = (node: Node, path: string): void => {
      for (const [key, inner] of Object.entries(node.properties ?? {})) {
        assert.ok((inner.description?.length ?? 0) > 10, `${path}.${key}`);
        walk(inner, `${path}.${key}`);
      }
    };
    for (const [node, path] of [
      [root, "file"],
      [tunnel, "tunnel"],
      [peer, "peer"],
    ] as const)
      walk(node, path);
  });

  it("takes no other keys", () => {
    for (const node of [root, tunnel, peer, child(root, "log"), child(root, "queue")]) {
      assert.equal(node.additionalProperties, false);
    }
  });

  it("speaks of what is written, not of what it becomes", () => {
    assert.equal(child(peer, "endpoint").type, "string");
    assert.deepEqual(
      child(peer, "keepalive").anyOf?.map(({ type }) => type),
      ["number", "string"],
    );
    assert.equal(child(peer, "allowedIPs").items?.type, "string");
    assert.deepEqual(
      child(tunnel, "address").anyOf?.map(({ type }) => type),
      ["string", "object"],
    );
  });

  it("has all keys of the product, and none for what is not there yet", () => {
    const later = (node: Node) =>
      Object.entries(node.properties ?? {}).flatMap(([key, { not }]) =>
        not === undefined ? [] : [key],
      );
    assert.deepEqual(later(root), []);
    assert.deepEqual(later(tunnel), []);
    assert.deepEqual(later(peer), []);
    for (const secret of ["secret", "token", "tokenBase64", "privateKey"]) {
      assert.equal(child(peer, secret).type, "string");
      assert.equal(child(peer, `${secret}File`).type, "string");
    }
  });

  it("survives JSON", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(root)), root);
  });
});

describe("knownKeys", () => {
  it("knows where names are free", () => {
    assert.ok(knownKeys([])?.includes("tunnels"));
    assert.ok(knownKeys(["tunnels", "t"])?.includes("peers"));
    assert.ok(knownKeys(["tunnels", "t", "peers", "p"])?.includes("token"));
    assert.equal(knownKeys(["tunnels"]), undefined);
    assert.equal(knownKeys(["tunnels", "t", "peers"]), undefined);
  });
});
