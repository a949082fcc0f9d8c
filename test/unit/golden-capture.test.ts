import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const capture = new URL("../golden/capture.js", import.meta.url).pathname;

test("the maker of golden files does nothing for arguments that it does not know", () => {
  for (const args of [["--help"], ["write"], ["write", "folder", "more"], ["/tmp"]]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [capture, ...args], {
      encoding: "utf8",
      input: "",
    });
    assert.deepEqual([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, /^usage: .*nothing was done\n$/);
  }
});
