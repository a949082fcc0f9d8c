import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { lockTable } from "../../../src/daemon/lock.ts";
import { Failure } from "../../../src/net/failure.ts";

const table = `test-${process.pid}`;

test("one holds it, the next is told who, and after the first it is free", async () => {
  const lock = await lockTable(table);
  await assert.rejects(
    lockTable(table),
    (error) => error instanceof Failure && error.message.includes(`pid ${process.pid}`),
  );
  lock.release();
  (await lockTable(table)).release();
});

test("strangers who connect and stay take no descriptors", async () => {
  const lock = await lockTable(table);
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  const strangers = Array.from({ length: 50 }, () =>
    connect({ path: `\0ipipoud/${table}`, allowHalfOpen: true }),
  );
  // Each has its own end here; what the lock has is gone.
  await Promise.all(strangers.map((socket) => once(socket.resume(), "end")));
  while (open() > before + strangers.length) await new Promise((go) => setTimeout(go, 5));
  for (const socket of strangers) socket.destroy();
  lock.release();
});

test("whoever holds the name and never ends what it says does not hold up the start", async () => {
  const path = `\0ipipoud/${table}-held`;
  const talking = (gap: number): Promise<void> =>
    new Promise((over, failed) => {
      const server = createServer((client) => {
        client.on("error", () => undefined);
        const timer = setInterval(() => client.write("1"), gap);
        client.on("close", () => clearInterval(timer));
      });
      server.listen(path, () => {
        assert
          .rejects(
            lockTable(`${table}-held`),
            (error) => error instanceof Failure && error.exitCode === 5,
          )
          .then(() => server.close(() => over()), failed);
      });
    });
  await talking(10);
  await talking(1000);
});
