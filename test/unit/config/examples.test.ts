import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadConfiguration } from "../../../src/config/load.ts";
import { seed, withFiles } from "./files.ts";

/** From the compiled test up to the repository. */
const folder = new URL("../../../../conf/", import.meta.url).pathname;
const examples = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

/** The example beside every file that it names. */
function withSecrets<T>(name: string, body: (file: string) => T): T {
  const text = readFileSync(join(folder, name), "utf8");
  const files: Record<string, string> = { [name]: text };
  for (const [, key, file = ""] of text.matchAll(/^ *(\w+)File: (\S+)/gm)) {
    if (key === "privateKey") files[file] = `${seed}\n`;
    else files[file] = key === "tokenBase64" ? "aGVsbG8=\n" : `${file}\n`;
  }
  return withFiles(files, (temporary) => body(join(temporary, name)));
}

describe("the examples in conf/", () => {
  for (const name of examples.filter((example) => example !== "daemon.yaml")) {
    it(`${name} loads, alone and with the daemon's own keys beside it`, () => {
      withSecrets(name, (file) => {
        const alone = loadConfiguration([file]);
        assert.equal(alone.tunnels.length, 1);
        // daemon.yaml writes the defaults out.
        const beside = loadConfiguration([file, join(folder, "daemon.yaml")]);
        assert.deepEqual({ ...beside, tunnels: [] }, { ...alone, tunnels: [] });
      });
    });

    it(`${name} holds no secret`, () => {
      const text = readFileSync(join(folder, name), "utf8").replace(/#.*/g, "");
      assert.doesNotMatch(text, /\b(?:secret|token|tokenBase64|privateKey):/);
    });
  }

  it("show each role", () => {
    const roles = examples.flatMap((name) =>
      name === "daemon.yaml"
        ? []
        : withSecrets(name, (file) =>
            loadConfiguration([file]).tunnels.flatMap(({ peers }) => peers.map(({ role }) => role)),
          ),
    );
    assert.deepEqual([...new Set(roles)].sort(), ["dial", "static", "wait"]);
  });
});
