/** The control socket's server. What the commands do is handed in; this is framing, limits and files. */
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rmdir,
  unlink,
} from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { exitCode, Failure } from "../net/failure.ts";
import { quoted } from "../net/printable.ts";
import { Clients } from "./clients.ts";
import { asFailure as foreseen } from "./failures.ts";
import { probeHolder } from "./holder.ts";
import { Lines } from "./lines.ts";
import type { Log } from "./log.ts";
import {
  type ControlRequest,
  type ControlResponse,
  helloCommand,
  longestControlPath,
  longestRequest,
} from "./protocol.ts";

/** Gives the response's `result`; a {@link Failure} becomes its error. */
export type ControlHandler = (request: ControlRequest) => unknown;

/** Hands each value to `push` until the function that it gives is called. */
export type ControlStream = (push: (value: unknown) => void) => () => void;

export interface ControlOptions {
  readonly path: string;
  readonly handlers: Readonly<Record<string, ControlHandler>>;
  /** Commands whose response is followed by a line for each value, until the client hangs up. */
  readonly streams?: Readonly<Record<string, ControlStream>>;
  readonly log: Log;
  /** Members of this group may use the socket, where there is such a group. */
  readonly group?: string;
  readonly groupFile?: string;
  readonly maxClients?: number;
  /** Milliseconds without traffic after which a client is let go. */
  readonly idle?: number;
  /** Milliseconds after which a client that waits for its answer gets a sign of life, again and again. */
  readonly beat?: number;
}

/** Bytes that a client of a stream may leave unread. */
const mostUnread = 1 << 20;

export interface Control {
  /** Ends all clients and removes the socket's file. */
  close(): Promise<void>;
  /** Removes the socket's file; clients that are there are served to their end. */
  retire(): Promise<void>;
}

/**
 * Throws a {@link Failure}: conflict where a living daemon holds the path, usage where no socket can lie
 * there, privilege where we may not make one.
 */
export async function serveControl(options: ControlOptions): Promise<Control> {
  const { path } = options;
  // Bound beside and then linked, so that the name appears with its mode and owner already right.
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  if (Buffer.byteLength(beside) > longestControlPath) {
    const most = longestControlPath - Buffer.byteLength(`.${process.pid}`) - 1;
    throw new Failure(exitCode.usage, `control: ${path} is too long`, `use at most ${most} bytes`);
  }
  const clients = new Clients(options.maxClients ?? 32);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (clients.add(socket)) serveClient(socket, clients, options);
    else socket.destroy();
  });

  let made = false;
  try {
    made = await makeFolder(dirname(path));
    await removeLeftovers(path);
    await removeIfSocket(beside);
    await listen(server, beside);
    await chmod(beside, 0o660);
    await giveToGroup(beside, options);
    await claim(path, beside);
  } catch (error) {
    await closeServer(server);
    await unlink(beside).catch(() => {});
    if (made) await rmdir(dirname(path)).catch(() => {});
    throw asFailure(path, error);
  }
  await unlink(beside);
  const { ino } = await lstat(path);

  const retire = async (): Promise<void> => {
    const closed = closeServer(server);
    // Not one that another daemon has put in its place since.
    const now = await lstat(path).catch(() => undefined);
    if (now?.ino === ino) await unlink(path).catch(() => {});
    if (made) await rmdir(dirname(path)).catch(() => {});
    await closed;
  };
  return {
    async close() {
      clients.end();
      await retire();
    },
    retire,
  };
}

function serveClient(socket: Socket, clients: Clients, options: ControlOptions): void {
  const lines = new Lines(longestRequest);
  const respond = (response: ControlResponse) =>
    new Promise<void>((resolve) => {
      // Called back once the bytes are with the kernel (or never will be): a slow reader gets one answer at a time.
      socket.write(`${JSON.stringify(response)}\n`, () => resolve());
    });
  let following: ControlStream | undefined;
  const serve = async () => {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const requests = lines.push(chunk as Buffer);
      if (requests === undefined) {
        await respond(refusal(`a request has at most ${longestRequest} bytes`));
        return;
      }
      for (const request of requests) {
        const stream = streamOf(request, options);
        if (stream !== undefined) {
          if (clients.follow(socket)) following = stream;
          else await respond(tooMany(clients));
          return;
        }
        await clients.answering(socket, async () => {
          const endBeat = beatUntilAnswered(socket, options);
          const response = await answer(request, options).finally(endBeat);
          await respond(response);
        });
        if (socket.destroyed) return;
      }
    }
  };
  socket.setTimeout(options.idle ?? 60_000, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  serve()
    // The stream's own errors (a reset) end up here: the client's business.
    .catch(() => {})
    // Only now, as nothing flows while it is iterated: the end of who has said more would never be heard.
    .finally(() => (following === undefined ? socket.end() : follow(socket, following)));
}

/** What takes long is told from what hangs: JSON allows for space before a value. */
function beatUntilAnswered(socket: Socket, { beat = 5_000 }: ControlOptions): () => void {
  const timer = setInterval(() => {
    if (socket.writable && socket.writableLength === 0) socket.write(" ");
  }, beat);
  timer.unref();
  return () => clearInterval(timer);
}

function streamOf(line: string, { streams }: ControlOptions): ControlStream | undefined {
  const command = parseRequest(line)?.command;
  return command !== undefined && streams !== undefined && Object.hasOwn(streams, command)
    ? streams[command]
    : undefined;
}

/** A client that reads too slowly is let go: it costs no memory, and sees that it has missed something. */
function follow(socket: Socket, stream: ControlStream): void {
  const write = (value: unknown): void => {
    if (socket.writableLength > mostUnread) socket.destroy();
    else socket.write(`${JSON.stringify(value)}\n`);
  };
  if (socket.destroyed) return;
  write({ ok: true, result: null });
  const { timeout = 0 } = socket;
  socket.setTimeout(0);
  socket.once("close", stream(write));
  // What it says further is not heard, but its end is: one that hangs up would hold its place until the
  // next event, and there may be none for days.
  socket.once("end", () => socket.end().setTimeout(timeout));
  socket.resume();
}

async function answer(line: string, options: ControlOptions): Promise<ControlResponse> {
  const request = parseRequest(line);
  if (request === undefined) return refusal('a request is a line like {"command": "status"}');
  if (request.command === helloCommand) return { ok: true, result: { pid: process.pid } };
  const handler = Object.hasOwn(options.handlers, request.command)
    ? options.handlers[request.command]
    : undefined;
  if (handler === undefined) {
    const name = quoted(request.command, 40);
    return refusal(`the daemon that runs here has no command ${name}`);
  }
  try {
    return { ok: true, result: (await handler(request)) ?? null };
  } catch (thrown) {
    const error = foreseen(thrown);
    if (error instanceof Failure) {
      return { ok: false, error: { message: error.message, exitCode: error.exitCode } };
    }
    options.log.error("a control command failed", {
      command: request.command,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, error: { message, exitCode: exitCode.runtime } };
  }
}

function parseRequest(line: string): ControlRequest | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("command" in value)) return undefined;
    const { command } = value;
    return typeof command === "string" ? { ...value, command } : undefined;
  } catch {
    return undefined;
  }
}

function tooMany({ mostFollowing }: Clients): ControlResponse {
  const message = `${mostFollowing} follow already: end one of them`;
  return { ok: false, error: { message, exitCode: exitCode.runtime } };
}

function refusal(message: string): ControlResponse {
  return { ok: false, error: { message, exitCode: exitCode.usage } };
}

/** Makes the name; replaces a socket that nobody answers on, and nothing else. */
async function claim(path: string, beside: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await link(beside, path);
      return;
    } catch (error) {
      if (codeOf(error) !== "EEXIST" || attempt > 0) throw error;
    }
    const holder = await probeHolder(path);
    if (holder !== undefined) {
      const who =
        holder.pid === undefined ? "another process" : `another ipipoud (pid ${holder.pid})`;
      const mend = "stop it, or set `control` and `table` to others here";
      throw new Failure(exitCode.conflict, `${who} holds ${path}`, mend);
    }
    if (!(await removeIfSocket(path))) {
      const mend = "remove it, or set `control` to another path";
      throw new Failure(exitCode.conflict, `control: ${path} is there and is no socket`, mend);
    }
  }
}

/** Leftovers that are looked at; the others have to wait. */
const MOST_LEFTOVERS = 16;

/** Of daemons that were killed between binding theirs and giving it its name. */
async function removeLeftovers(path: string): Promise<void> {
  const start = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const leftovers = names.filter(
    (name) => name.startsWith(start) && /^[0-9]+$/.test(name.slice(start.length)),
  );
  for (const name of leftovers.slice(0, MOST_LEFTOVERS)) {
    const leftover = join(dirname(path), name);
    // Whoever is just doing that with another number answers.
    const holder = await probeHolder(leftover);
    if (holder === undefined) await removeIfSocket(leftover).catch(() => false);
  }
}

/** One level, as of /run/ipipoud; whether it was made. (mkdir's own recursion never ends in /proc.) */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Whether nothing is there afterwards. */
async function removeIfSocket(path: string): Promise<boolean> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.isSocket()) await unlink(path);
  return there === undefined || there.isSocket();
}

async function giveToGroup(path: string, options: ControlOptions): Promise<void> {
  const group = options.group ?? "ipipou";
  const gid = await groupId(group, options.groupFile ?? "/etc/group");
  if (gid === undefined || (await lstat(path)).gid === gid) return;
  try {
    await chown(path, process.geteuid?.() ?? 0, gid);
  } catch (error) {
    // Without CAP_CHOWN and not in the group ourselves: the owner's commands still work.
    options.log.warning("the control socket stays out of its group", {
      group,
      error: codeOf(error),
    });
  }
}

/** The number of a group in a file like group(5); undefined where there is none. */
export async function groupId(name: string, file: string): Promise<number | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const [group, , gid] = line.split(":");
    if (group === name && gid !== undefined && /^[0-9]+$/.test(gid)) return Number(gid);
  }
  return undefined;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function asFailure(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof Failure || code === undefined) return error;
  const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  const mend = denied
    ? "run it as root, or set `control` to a path that it may write"
    : "set `control` to a path in a folder that is there";
  const what = `control: no socket can be made at ${path} (${code})`;
  return new Failure(denied ? exitCode.privilege : exitCode.usage, what, mend, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
