import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { FileSource } from "../../../../src/tunnel/directory/file.ts";
import { eventually } from "../../../e2e/support/eventually.ts";

const folder = mkdtempSync(join(tmpdir(), "ipipoud-hosts-"));
const path = join(folder, "hosts.json");
const hosts = (...names: string[]): string =>
  JSON.stringify({
    nodes: Object.fromEntries(names.map((host, i) => [`10.0.0.${i + 1}`, { host }])),
  });

describe("a hosts file that is followed", () => {
  after(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  });

  function follow(interval = 3_600_000) {
    const said: string[] = [];
    const stop = new FileSource({ path, interval }).follow({
      nodes: (nodes) => void said.push([...nodes.values()].map(({ host }) => host).join(" ")),
      trouble: (reason) => void said.push(`trouble: ${reason}`),
    });
    const says = async (what: string): Promise<void> => {
      await eventually(() => said.at(-1) === what, {
        timeout: 20_000,
        what: `${what}; it said ${said.join(" | ")}`,
      });
    };
    return { said, stop, says };
  }

  it("is read again when it is written in place, replaced, gone and back", async () => {
    writeFileSync(path, hosts("a"));
    const { stop, says, said } = follow();
    await says("a");
    writeFileSync(path, hosts("a", "b"));
    await says("a b");
    writeFileSync(`${path}.new`, hosts("c"));
    renameSync(`${path}.new`, path);
    await says("c");
    rmSync(path);
    await says("trouble: no such file");
    writeFileSync(path, hosts("d"));
    await says("d");
    assert.deepEqual(
      said.filter((line) => line.startsWith("trouble")),
      ["trouble: no such file"],
    );
    stop();
  });

  it("that is half written is not told of until it stays so", async () => {
    writeFileSync(path, hosts("a"));
    const { stop, says, said } = follow();
    await says("a");
    const whole = hosts("a", "b", "c");
    writeFileSync(path, whole.slice(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    writeFileSync(path, whole);
    await says("a b c");
    assert.ok(!said.some((line) => line.startsWith("trouble")), said.join(" | "));
    writeFileSync(path, whole.slice(0, 20));
    await says(
      'trouble: not valid JSON: write {"nodes": {"192.168.100.1": {"host": "vps1.example.org"}}}',
    );
    stop();
  });

  it("may come later, with its folder", async () => {
    rmSync(folder, { recursive: true });
    const { stop, says } = follow(1000);
    await says("trouble: no such file");
    mkdirSync(folder);
    writeFileSync(path, hosts("late"));
    await says("late");
    stop();
  });

  it("may be anything else by mistake", async () => {
    mkdirSync(path);
    const { stop, says } = follow();
    await says("trouble: no regular file");
    stop();
  });
});
