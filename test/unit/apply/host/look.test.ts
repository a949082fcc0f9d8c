import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isExecutable, isPublic, placeProblem } from "../../../../src/apply/host/look.ts";

const folder = mkdtempSync(join(tmpdir(), "ipipoud-look-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a file that anybody may read, folders and all", async () => {
  const file = join(folder, "k");
  writeFileSync(file, "x");
  chmodSync(file, 0o644);
  chmodSync(folder, 0o700);
  assert.equal(await isPublic(file), false, "nobody gets there");
  chmodSync(folder, 0o711);
  assert.equal(await isPublic(file), true);
  chmodSync(file, 0o640);
  assert.equal(await isPublic(file), false, "a group is somebody's choice");
  assert.equal(await isPublic(join(folder, "none")), false);
});

test("places where a file can be made, and others", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  mkdirSync(join(folder, "there"));
  assert.equal(await placeProblem(join(folder, "there")), undefined);
  assert.equal(await placeProblem(join(folder, "not", "yet")), undefined);
  assert.deepEqual(await placeProblem(file), { path: file, why: "no-folder" });
  const below = join(file, "below");
  assert.deepEqual(await placeProblem(below), { path: below, why: "no-folder" });
});

test("a program that can be run", async () => {
  assert.equal(await isExecutable(process.execPath), true);
  assert.equal(await isExecutable(folder), false);
  assert.equal(await isExecutable(""), false);
});
