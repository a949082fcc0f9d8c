/**
 * One daemon per network namespace and table: a socket in the abstract namespace, which is exactly as
 * wide (unix(7)) and which the kernel takes back whatever becomes of us.
 */
import { connect, createServer, type Server } from "node:net";
import { exitCode, Failure } from "../net/failure.ts";

export interface Lock {
  release(): void;
}

/** Milliseconds. */
const PATIENCE = 2000;

/** Throws a {@link Failure} that says who holds it. */
export async function lockTable(table: string): Promise<Lock> {
  const path = `\0ipipoud/${table}`;
  const server = createServer((client) => {
    client.on("error", () => undefined);
    // Anybody may connect to an abstract name: whoever stays costs nothing, and what was said is read all the same.
    client.end(String(process.pid), () => client.destroy());
  });
  server.unref();
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Failure(
      exitCode.conflict,
      `another ipipoud (pid ${await holder(path)}) keeps table "${table}" in this network namespace`,
      "stop it, or give this one another `table`",
    );
  }
  return { release: () => server.close() };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}

/** What the holder says its process id is; it may be busy, so not for long. */
function holder(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = "";
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(/^[0-9]{1,10}$/.test(text) ? text : "unknown");
    };
    // In all: anybody may hold an abstract name, and say a little again and again.
    const timer = setTimeout(done, PATIENCE);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1").slice(0, 16);
      if (text.length > 16) done();
    });
    socket.on("end", done);
    socket.on("error", done);
  });
}
