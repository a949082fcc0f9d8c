import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readSysctl, writeSysctl } from "../../../src/kernel/sysctl.ts";

test("reads and writes below its root", async () => {
  const root = await mkdtemp(join(tmpdir(), "sysctl-"));
  try {
    await mkdir(join(root, "net/ipv4/conf/eth0.1"), { recursive: true });
    const file = join(root, "net/ipv4/conf/eth0.1/rp_filter");
    await writeFile(file, "1\n");
    assert.equal(await readSysctl("net/ipv4/conf/eth0.1/rp_filter", root), "1");
    await writeSysctl("net/ipv4/conf/eth0.1/rp_filter", 0, root);
    assert.equal(await readFile(file, "utf8"), "0\n");
    assert.equal(await readSysctl("net/ipv4/nothing", root), undefined);
    await assert.rejects(writeSysctl("net/ipv4/nothing", 1, root), { code: "ENOENT" });
  } finally {
    await rm(root, { recursive: true });
  }
});

test("names lead nowhere else", async () => {
  for (const name of ["", "/etc/passwd", "net/../../etc/passwd", "net//x", "net/./x", "net/\0"]) {
    await assert.rejects(readSysctl(name), TypeError, name);
    await assert.rejects(writeSysctl(name, 1), TypeError, name);
  }
});
