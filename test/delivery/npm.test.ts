/** The tarball of `npm pack`, installed by npm elsewhere: see conf/package/build.sh. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { type Delivery, findDelivery } from "../lab/delivery.ts";
import { projectRoot } from "../lab/paths.ts";
import { run } from "../lab/run.ts";

describe("the npm package", () => {
  let delivery: Delivery;
  let version: string;
  before(async () => {
    delivery = await findDelivery();
    const text = readFileSync(join(projectRoot, "package.json"), "utf8");
    version = (JSON.parse(text) as { version: string }).version;
  });

  it("holds the program and what its installation compiles, and nothing of tests and sources", async () => {
    const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const text = await run("npm", args, { cwd: projectRoot });
    const [pack] = JSON.parse(text) as [{ files: { path: string }[] }];
    const paths = pack.files.map(({ path }) => path);
    for (const path of ["dist/bin/ipipoud.js", "dist/bin/licences.txt", "native/install.mjs"]) {
      assert.ok(paths.includes(path), path);
    }
    const kept =
      /^(dist\/(bin|man|completion)|native|conf)\/|^(package\.json|binding\.gyp|LICENSE|README\.md)$/;
    assert.deepEqual(
      paths.filter((path) => !kept.test(path) || path.endsWith(".map")),
      [],
    );
  });

  it("runs where it is installed", async () => {
    const program = join(delivery.installation, "dist/bin/ipipoud.js");
    assert.equal((await run(program, ["--version"], { cwd: "/" })).trim(), `ipipoud ${version}`);
    assert.match(await run(program, ["keygen"], { cwd: "/" }), /^[\w+/]{43}=\n$/);
  });

  it("says what it contains and under which licences", () => {
    const text = readFileSync(join(delivery.installation, "dist/bin/licences.txt"), "utf8");
    for (const name of ["libsodium-wrappers", "netlink", "yaml", "zod", "raw-socket", "nan"]) {
      assert.match(text, new RegExp(`^== ${name} \\d`, "m"));
    }
  });

  it("has the .deb's version", () => {
    const changes = readFileSync(join(projectRoot, "conf/deb/changelog"), "utf8");
    assert.equal(/^ipipoud \((.*?)\)/.exec(changes)?.[1], version);
  });
});
