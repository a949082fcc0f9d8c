import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCode, Failure } from "../../../src/net/failure.ts";

test("a failure is one line: what, then the mend", () => {
  const failure = new Failure(exitCode.conflict, "port 10000 is\n  in use", "choose\r\nanother");
  assert.equal(failure.message, "port 10000 is in use; choose another");
  assert.equal(failure.what, "port 10000 is in use");
  assert.equal(failure.mend, "choose another");
  assert.equal(failure.exitCode, 5);
  assert.ok(failure instanceof Error);
});

test("a failure without a mend, with a cause", () => {
  const cause = new Error("ENOENT");
  const failure = new Failure(exitCode.runtime, "no such file", undefined, { cause });
  assert.equal(failure.message, "no such file");
  assert.equal(failure.mend, undefined);
  assert.equal(failure.cause, cause);
});
