/** What an engine for containers would read: no engine is here to read it. */
import assert from "node:assert/strict";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ValidationSeverity, validate } from "dockerfile-utils";
import { parse } from "yaml";
import { loadConfiguration } from "../../src/config/load.ts";
import { newKeyPair } from "../e2e/support/keys.ts";
import { readStages } from "../lab/dockerfile.ts";
import { projectRoot } from "../lab/paths.ts";
import { run } from "../lab/run.ts";
import { withFiles } from "../unit/config/files.ts";

const container = join(projectRoot, "conf/container");
const dockerfile = readFileSync(join(projectRoot, "Dockerfile"), "utf8");

describe("the Dockerfile", () => {
  const stages = readStages(dockerfile);
  const last = stages.at(-1);

  it("is valid, to the linter too", () => {
    const problems = validate(dockerfile, { deprecatedMaintainer: ValidationSeverity.ERROR });
    assert.deepEqual(
      problems.map(({ message, range }) => `${range.start.line + 1}: ${message}`),
      [],
    );
  });

  it("builds in one stage and runs in another, from named releases", () => {
    assert.deepEqual(
      stages.map(({ from }) => from),
      ["node:20-trixie", "debian:trixie-slim"],
    );
    assert.deepEqual(last?.taken, [{ stage: "build", sources: ["/out"] }]);
  });

  it("takes every step in a script of ours", () => {
    const runs = stages.flatMap((stage) => stage.runs);
    assert.equal(runs.length, dockerfile.match(/^RUN/gm)?.length);
    for (const [shell, script = ""] of runs) {
      assert.equal(shell, "sh");
      assert.ok(existsSync(join(container, script.split("/").at(-1) ?? "")), script);
    }
  });

  it("copies what there is, and what .dockerignore lets through", () => {
    const ignored = readFileSync(join(projectRoot, ".dockerignore"), "utf8").split("\n");
    for (const name of stages.flatMap(({ copies }) => copies.flatMap(({ sources }) => sources))) {
      assert.ok(existsSync(join(projectRoot, name)), name);
      assert.ok(ignored.includes(`!${name.split("/")[0]}`), name);
    }
  });

  it("does not run as root, tells its health and starts what is there", () => {
    assert.equal(last?.user, "ipipoud");
    assert.deepEqual(last?.health, ["ipipoud", "status"]);
    const [entrypoint = ""] = last?.entrypoint ?? [];
    accessSync(join(projectRoot, entrypoint.replace("/usr/lib/ipipoud/", "")), constants.X_OK);
  });
});

describe("the compose file", () => {
  const file = join(container, "compose.yaml");

  it("is valid to docker-compose, with nothing but two capabilities at either end", async () => {
    const args = ["--file", file, "--project-name", "ipipoud", "config"];
    const compose = parse(await run("docker-compose", args)) as Compose;
    assert.deepEqual(Object.keys(compose.services).sort(), ["laptop", "server"]);
    for (const service of Object.values(compose.services)) {
      assert.deepEqual(service.cap_drop, ["ALL"]);
      assert.deepEqual(service.cap_add, ["NET_ADMIN", "NET_RAW"]);
      assert.equal(service.read_only, true);
      for (const volume of service.volumes.filter((one) => one.startsWith("/"))) {
        const path = volume.split(":")[0] ?? "";
        // The one that its user makes.
        if (!path.endsWith("/laptop.key")) assert.ok(existsSync(path), path);
      }
    }
  });

  it("joins two configurations that load and meet", () => {
    const keys = newKeyPair();
    const server = readFileSync(join(container, "server.yaml"), "utf8");
    const laptop = readFileSync(join(container, "laptop.yaml"), "utf8");
    const address = /server:.*?ipv4_address: ([\d.]+)/s.exec(readFileSync(file, "utf8"))?.[1];
    const files = {
      "server.yaml": server.replace("PASTE WHAT ipipoud pubkey PRINTED", keys.publicKey),
      "laptop.yaml": laptop,
      "laptop.key": `${keys.privateKey}\n`,
    };
    withFiles(files, (folder) => {
      const [waiting] = loadConfiguration([join(folder, "server.yaml")]).tunnels;
      const [dialling] = loadConfiguration([join(folder, "laptop.yaml")]).tunnels;
      assert.equal(waiting?.peers[0]?.role, "wait");
      assert.equal(dialling?.peers[0]?.role, "dial");
      assert.ok(server.includes(`"${address}:10000"`));
      assert.ok(laptop.includes(`"${address}:10000"`));
    });
  });
});

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly cap_add: readonly string[];
        readonly cap_drop: readonly string[];
        readonly read_only: boolean;
        readonly volumes: readonly string[];
      }
    >
  >;
}
