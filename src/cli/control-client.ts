/** Asks the running daemon, over its control socket. */
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { growAsUsual } from "../daemon/collect.ts";
import type { ControlRequest, ControlResponse } from "../daemon/protocol.ts";
import { exitCode, Failure } from "../net/failure.ts";

export interface AskOptions {
  readonly path: string;
  /** Milliseconds without a byte; a status of 100,000 peers takes a while to make. */
  readonly patience?: number;
}

/** The `result` of one request. Throws a {@link Failure} that says what stands in the way. */
export async function askDaemon(request: ControlRequest, options: AskOptions): Promise<unknown> {
  const text = await exchange(`${JSON.stringify(request)}\n`, options);
  return demandResult(text, options.path);
}

function demandResult(text: string, path: string): unknown {
  const response = parseResponse(text);
  if (response === undefined) {
    const what = `whoever listens on ${path} does not answer as an ipipoud does`;
    throw new Failure(exitCode.runtime, what, "name the daemon's socket with --control");
  }
  if (response.ok) return response.result;
  throw new Failure(response.error.exitCode, response.error.message);
}

/**
 * Hands each value of a stream on until the daemon ends or `stop` resolves. Throws a {@link Failure} where
 * there is no stream.
 */
export async function followDaemon(
  request: ControlRequest,
  { path }: AskOptions,
  onValue: (value: unknown) => void,
  stop: Promise<void>,
): Promise<"stopped" | "ended"> {
  growAsUsual();
  const socket = connect(path);
  const stopped = stop.then(() => {
    socket.destroy();
    return "stopped" as const;
  });
  const read = async (): Promise<"ended"> => {
    socket.write(`${JSON.stringify(request)}\n`);
    let begun = false;
    for await (const line of createInterface({ input: socket })) {
      if (begun) onValue(JSON.parse(line));
      else demandResult(line, path);
      begun = true;
    }
    if (!begun) demandResult("", path);
    return "ended";
  };
  const failed = new Promise<never>((_, reject) => {
    socket.on("error", (error: NodeJS.ErrnoException) => reject(explain(path, error)));
  });
  try {
    return await Promise.race([read(), failed, stopped]);
  } finally {
    socket.destroy();
  }
}

/** One line there, one line back (without its line break); "" where the other side only hung up. */
function exchange(line: string, { path, patience = 30_000 }: AskOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(path);
    const finish = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("utf8").split("\n", 1)[0] ?? "");
    };
    socket.setTimeout(patience, () => {
      socket.destroy();
      const mend = "is it busy or stopped? `systemctl status ipipoud` tells";
      reject(new Failure(exitCode.runtime, `the ipipoud on ${path} does not answer`, mend));
    });
    socket.on("connect", () => socket.write(line));
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (chunk.includes(0x0a)) finish();
    });
    socket.on("end", finish);
    socket.on("error", (error: NodeJS.ErrnoException) => reject(explain(path, error)));
  });
}

function explain(path: string, error: NodeJS.ErrnoException): Failure {
  const cause = { cause: error };
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED": {
      const mend = "start it, or name its control socket with --control";
      return new Failure(exitCode.runtime, `no ipipoud listens on ${path}`, mend, cause);
    }
    case "EACCES":
    case "EPERM": {
      const mend = 'be root, or a member of the group "ipipou"';
      return new Failure(exitCode.privilege, `${path} is not open to this user`, mend, cause);
    }
    default: {
      const what = `cannot ask the ipipoud on ${path} (${error.code ?? error.message})`;
      return new Failure(exitCode.runtime, what, "is that its control socket?", cause);
    }
  }
}

function parseResponse(text: string): ControlResponse | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("ok" in value)) return undefined;
    if (value.ok === true && "result" in value) return { ok: true, result: value.result };
    const { error } = value as Partial<Extract<ControlResponse, { ok: false }>>;
    if (typeof error?.message !== "string") return undefined;
    const known = Object.values(exitCode).find((code) => code === error.exitCode);
    return { ok: false, error: { message: error.message, exitCode: known ?? exitCode.runtime } };
  } catch {
    return undefined;
  }
}
