import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadAddon } from "../../../src/native/addon.ts";

const addon = loadAddon();

/** Prints `bound`, then one datagram. Node has no unix datagram sockets. */
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind("\\0" + name[1:] if name.startswith("@") else name)
print("bound", flush=True)
sys.stdout.buffer.write(s.recv(4096))
`;

async function received(address: string, message: string): Promise<string> {
  const python = spawn("python3", ["-c", receiver, address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  python.stdout.setEncoding("utf8");
  let output = "";
  python.stdout.on("data", (text: string) => {
    if (output === "") addon.notify(address, message);
    output += text;
  });
  await once(python, "close");
  return output.replace("bound\n", "");
}

test("a path, a name in the abstract namespace, and one as long as can be", async () => {
  const folder = mkdtempSync(join(tmpdir(), "notify-"));
  const path = join(folder, "socket");
  const message = "READY=1\nSTATUS=2 tunnels, 1 peer — fine";
  try {
    assert.equal(await received(path, message), message);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const name = `@ipipoud-${process.pid}-`;
  assert.equal(await received(name, message), message);
  assert.equal(await received(name.padEnd(108, "x"), message), message);
});

test("an address that is too long, empty, or has nobody", () => {
  assert.throws(() => addon.notify("x".repeat(108), "READY=1"), { code: "ENAMETOOLONG" });
  assert.throws(() => addon.notify("@".padEnd(109, "x"), "READY=1"), { code: "ENAMETOOLONG" });
  assert.throws(() => addon.notify("", "READY=1"), { code: "EINVAL" });
  assert.throws(() => addon.notify("/nowhere/socket", "READY=1"), {
    code: "ENOENT",
    syscall: "notify /nowhere/socket",
  });
  assert.throws(() => addon.notify(`@nobody-${process.pid}`, "READY=1"), { code: "ECONNREFUSED" });
});
