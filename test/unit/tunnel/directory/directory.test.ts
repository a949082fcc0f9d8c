import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Nodes } from "../../../../src/config/model.ts";
import { ipAddress } from "../../../../src/net/address.ts";
import { Directory, type Remembered } from "../../../../src/tunnel/directory/directory.ts";
import type { DirectoryListener } from "../../../../src/tunnel/directory/source.ts";
import type { TunnelEvent } from "../../../../src/tunnel/events.ts";

const nodes = (...hosts: string[]): Nodes =>
  new Map(hosts.map((host, i) => [ipAddress(`10.0.0.${i + 1}`), { host, port: 7777 }]));

function directory(known: Remembered = { nodes: undefined, trouble: undefined }) {
  const events: TunnelEvent[] = [];
  const remembered: Remembered[] = [];
  const changes: Nodes[] = [];
  const to: { listener?: DirectoryListener } = {};
  new Directory({
    tunnel: "fleet",
    source: {
      name: "hosts",
      follow: (listener) => {
        to.listener = listener;
        return () => {};
      },
    },
    emit: (event) => void events.push(event),
    known,
    remember: (now) => void remembered.push(now),
    changed: (now) => void changes.push(now),
  });
  const { listener } = to;
  assert.ok(listener);
  const said = () => events.splice(0).map(({ event, reason }) => `${event} ${reason}`);
  return { listener, said, changes, remembered };
}

describe("a directory over time", () => {
  it("tells each change once, with what it is", () => {
    const { listener, said, changes } = directory();
    listener.nodes(nodes("a", "b"));
    listener.nodes(nodes("a", "b"));
    assert.deepEqual(said(), ["changed hosts: 2 came: 2 nodes now"]);
    listener.nodes(nodes("x"));
    assert.deepEqual(said(), ["changed hosts: 1 went, 1 moved: 1 node now"]);
    assert.equal(changes.length, 2);
  });

  it("keeps the last good answer through a failure, which is one event, and its end another", () => {
    const { listener, said, changes, remembered } = directory();
    listener.nodes(nodes("a"));
    said();
    listener.trouble("no answer");
    listener.trouble("no answer");
    assert.deepEqual(said(), ["failed hosts: no answer; what it said before stays (1 node)"]);
    assert.equal(remembered.at(-1)?.nodes?.size, 1);
    listener.trouble("not valid JSON");
    assert.equal(said().length, 1);
    listener.nodes(nodes("a"));
    assert.deepEqual(said(), ["recovered hosts: it can be read again"]);
    assert.equal(changes.length, 1);
  });

  it("is no news where it says what is known from before", () => {
    const { listener, said, changes } = directory({ nodes: nodes("a"), trouble: undefined });
    listener.nodes(nodes("a"));
    assert.deepEqual(said(), []);
    assert.equal(changes.length, 0);
  });

  it("that never answered says so", () => {
    const { listener, said } = directory();
    listener.trouble("refused");
    assert.deepEqual(said(), ["failed hosts: refused; no nodes yet"]);
    listener.nodes(nodes());
    assert.deepEqual(said(), [
      "recovered hosts: it can be read again",
      "changed hosts: 0 nodes now",
    ]);
  });
});
