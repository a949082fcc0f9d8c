import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CAP_NET_BIND_SERVICE, hasMoreThan, NEEDED } from "../../../src/apply/host/proc.ts";

const status = (sets: string, locked: number): string =>
  ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}:\t${sets}\n`).join("") +
  `NoNewPrivs:\t${locked}\n`;

test("what more than the two is, and what is not", () => {
  assert.equal(NEEDED, 0x3000);
  assert.equal(hasMoreThan(NEEDED, status("0000000000003000", 1)), false);
  assert.equal(hasMoreThan(NEEDED, status("0000000000000000", 1)), false);
  assert.equal(hasMoreThan(NEEDED, status("0000000000003000", 0)), true);
  assert.equal(hasMoreThan(NEEDED, status("000001ffffffffff", 1)), true);
  assert.equal(hasMoreThan(NEEDED, status("0000000000003001", 1)), true);
  const low = NEEDED + CAP_NET_BIND_SERVICE;
  assert.equal(hasMoreThan(low, status("0000000000003400", 1)), false);
  assert.equal(hasMoreThan(low, status("0000000000003401", 1)), true);
});

/** Every thread's capability sets and lock, after the call, while file operations are under way. */
const program = `
  const { readdirSync, readFileSync } = await import("node:fs");
  const { readFile } = await import("node:fs/promises");
  const { loadAddon } = await import("${new URL("../../../src/native/addon.js", import.meta.url)}");
  const addon = loadAddon();
  const busy = Array.from({ length: 100 }, () => readFile("/proc/self/status"));
  addon.restrictTo(0x3000);
  await Promise.all(busy);
  const look = () => readdirSync("/proc/self/task").map((thread) =>
    readFileSync("/proc/self/task/" + thread + "/status", "utf8").match(/^(Cap|NoNew|SigBlk).*$/gm));
  // A thread hears nothing before it has begun, which on a busy machine takes a while.
  let threads = look();
  while (threads.filter((lines) => lines.some((line) => /^SigBlk:\\s*f/.test(line))).length > 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    threads = look();
  }
  console.log(JSON.stringify(threads));
  addon.restrictTo(0x3000);`;

test("all threads but the one that blocks all signals have the two and no way to more", () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const threads = JSON.parse(stdout || assert.fail(stderr)) as string[][];
  assert.equal(stderr, "");
  // What the test itself may drop.
  const root = /^CapEff:\s*[0-9a-f]*[13579bdf][0-9a-f]{2}$/m.test(
    readFileSync("/proc/self/status", "utf8"),
  );
  const deaf = threads.filter((lines) => lines.some((line) => /^SigBlk:\s*f/.test(line)));
  assert.ok(deaf.length <= 1 && threads.length > 4, JSON.stringify(threads));
  for (const lines of threads) {
    if (deaf.includes(lines)) continue;
    const text = lines.join("\n");
    assert.match(text, /^NoNewPrivs:\s*1$/m);
    for (const name of root ? ["Inh", "Prm", "Eff", "Bnd", "Amb"] : ["Inh", "Prm", "Eff", "Amb"]) {
      const [, set = ""] = new RegExp(`^Cap${name}:\\s*([0-9a-f]+)$`, "m").exec(text) ?? [];
      assert.equal(BigInt(`0x${set}`) & ~0x3000n, 0n, `${name}: ${text}`);
    }
  }
});
