/**
 * The whole program with a configuration that can't work: exit code 2, one useful line, nothing done. (What
 * the kernel or other programs refuse is in test/e2e/broken-input.test.ts.)
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const main = new URL("../../src/main.js", import.meta.url).pathname;
const key = "eQYNhD/Xwl6Zaq+z3QXDzNI77x8CEKqY1n5kt9bKeEI=";
const secret = "hush-hush";

describe("a configuration that can't work", () => {
  let folder: string;
  let good: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ipipoud-broken-"));
    good = `tunnels:
  ipipou0:
    listen: "127.0.0.1:10000"
    address: 172.28.0.1/24
    peers:
      a: { publicKey: "${key}", secret: ${secret}, allowedIPs: [172.28.0.2/32] }
control: ${join(folder, "run", "control.sock")}
stateDirectory: ${join(folder, "state")}
`;
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const refused = (file: string, line: RegExp): void => {
    for (const also of [[], ["--check"]]) {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [main, "--config", file, ...also],
        { encoding: "utf8", timeout: 30_000 },
      );
      assert.equal(status, 2, stderr);
      assert.match(stderr, /^ipipoud: [^\n]+\n$/, "one line");
      assert.match(stderr, line);
      assert.equal(stdout, "");
      assert.ok(!stderr.includes(secret), "the secret was told");
    }
    assert.ok(!existsSync(join(folder, "run")) && !existsSync(join(folder, "state")));
  };

  const cases: readonly (readonly [string, (good: string) => string, RegExp])[] = [
    ["YAML syntax", (good) => good.replace("peers:", "peers: ["), /ipipoud\.yaml:\d+:\d+: /],
    [
      "an unknown key",
      (good) => good.replace("listen:", "listne:"),
      /ipipoud\.yaml:3:5: unknown key `listne`.*`listen`/,
    ],
    [
      "a wrong type",
      (good) => good.replace("[172.28.0.2/32]", "{ a: 1 }"),
      /ipipoud\.yaml:6:\d+: not a list .*allowedIPs/,
    ],
    [
      "a key of 31 bytes",
      (good) => good.replace(key, Buffer.alloc(31, 7).toString("base64")),
      /ipipoud\.yaml:6:\d+: 31 bytes, want 32 .*publicKey/,
    ],
    [
      "a secret's file that is missing",
      (good) => good.replace(`secret: ${secret}`, "secretFile: nowhere.secret"),
      /ipipoud\.yaml:6:\d+: \S+nowhere\.secret: no such file/,
    ],
  ];
  for (const [what, spoil, line] of cases) {
    it(what, async () => {
      const file = join(folder, "ipipoud.yaml");
      await writeFile(file, spoil(good));
      refused(file, line);
    });
  }

  it("a file that is missing", () => {
    refused(join(folder, "nowhere.yaml"), /nowhere\.yaml: no such file/);
  });
});
