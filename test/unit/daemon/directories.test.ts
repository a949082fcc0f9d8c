import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Nodes } from "../../../src/config/model.ts";
import { Directories, DirectoryMemory } from "../../../src/daemon/directories.ts";
import { ipAddress } from "../../../src/net/address.ts";
import { nodesAtStart, withKnownNodes } from "../../../src/tunnel/directory/start.ts";
import { eventually } from "../../e2e/support/eventually.ts";
import { configuration, inner, peer, prefix, tunnel } from "../../support/configuration.ts";
import { world } from "../../support/tunnel.ts";

const folder = mkdtempSync(join(tmpdir(), "ipipoud-directories-"));
// What is still being written does not matter any more.
after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));

const path = join(folder, "hosts.json");
const write = (nodes: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(nodes).map(([address, host]) => [address, { host }]);
  writeFileSync(path, JSON.stringify({ nodes: Object.fromEntries(entries) }));
};
const own = peer("gate", { allowedIPs: [prefix("10.0.0.9/32")] });
const directory = { from: { kind: "file", path }, interval: 3_600_000 } as const;
const fleet = tunnel("fleet", [own], { directory, addresses: [inner("10.0.0.1/24")] });
const written = configuration([fleet], { stateDirectory: join(folder, "state") });

function start(memory: DirectoryMemory) {
  const config = withKnownNodes(written, (one) => memory.atStart(written, one));
  const { events, emit, peers, tunnels } = world(config);
  const exchanged: Nodes[] = [];
  const directories = new Directories({
    ...{ configuration: written, memory, emit, tunnels },
    peersOf: () => peers.all(),
    outerOf: () => undefined,
    nudge: () => assert.fail("nobody is dialled here"),
    publicKeyOf: () => assert.fail("no keys here"),
    resolve: async () => assert.fail("no names here"),
    exchange: (_, nodes) => void exchanged.push(nodes),
    onError: (error) => assert.fail(error),
  });
  const said = () => events.map(({ event, reason }) => `${event} ${reason ?? ""}`);
  return { directories, exchanged, said, names: () => [...peers.all()].map(({ key }) => key) };
}

test("a tunnel begins with what its file says, tells who is left out, and follows it", async () => {
  write({ "10.0.0.2": "198.51.100.2", "10.0.0.9": "198.51.100.9" });
  const memory = new DirectoryMemory();
  const first = start(memory);
  assert.deepEqual(first.names(), ["fleet/gate", "fleet/10.0.0.2"]);
  assert.deepEqual(first.said(), [
    "failed left out of the directory: node 10.0.0.9: its inner address is in the allowedIPs of gate",
  ]);
  first.directories.leftOut("fleet", [
    "node 10.0.0.9: its inner address is in the allowedIPs of gate",
  ]);
  assert.equal(first.said().length, 1);
  write({ "10.0.0.2": "198.51.100.2", "10.0.0.3": "198.51.100.3" });
  await eventually(() => first.exchanged.length === 1);
  assert.deepEqual(first.directories.statusOf("fleet"), { source: path, nodes: 2, trouble: null });
  assert.equal(first.directories.statusOf("other"), undefined);
  first.directories.close();
});

test("what was said last is there after a restart beside a broken file", async () => {
  write({ "10.0.0.2": "198.51.100.2", "10.0.0.4": "198.51.100.4" });
  const { directories } = start(new DirectoryMemory());
  await eventually(() => {
    writeFileSync(path, "{");
    return nodesAtStart(written, fleet)?.has(ipAddress("10.0.0.4"));
  });
  directories.close();
});

test("an instance and its successor write to one file in turn", async () => {
  const memory = new DirectoryMemory();
  write({ "10.0.0.2": "198.51.100.2", "10.0.0.5": "198.51.100.5" });
  // Whatever can't be written fails the test: see onError.
  for (let i = 0; i < 5; i++) start(memory).directories.close();
  writeFileSync(path, "{");
  await eventually(() => nodesAtStart(written, fleet)?.has(ipAddress("10.0.0.5")));
});
