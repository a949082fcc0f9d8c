/**
 * A network namespace for one test: `ip` as judge from outside, our netlink from inside (by a child
 * process, because Node can't change its own namespace).
 *
 * ```ts
 * const ns = await Namespace.create();
 * await ns.route.request(newLink(…));
 * ns.ip("-d", "link", "show", "t0"); // parsed JSON
 * await ns.close();
 * ```
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { devicesOf } from "../../src/kernel/devices.ts";
import { dumpLinks } from "../../src/kernel/link.ts";
import type { Devices } from "../../src/net/objects.ts";
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE } from "../../src/netlink/constants.ts";
import { KernelError } from "../../src/netlink/errors.ts";
import type { Message, Request } from "../../src/netlink/request.ts";
import type { Answer, Call, Refusal } from "./netns-worker.ts";

/** The methods of Netlink, carried out inside the namespace. */
export class RemoteNetlink {
  readonly #call: (call: Omit<Call, "id" | "protocol">) => Promise<unknown>;

  constructor(call: (call: Omit<Call, "id" | "protocol">) => Promise<unknown>) {
    this.#call = call;
  }

  request(request: Request): Promise<Message[]> {
    return this.#call({ method: "request", requests: [plain(request)] }) as Promise<Message[]>;
  }

  async requestAll(requests: readonly Request[]): Promise<(KernelError | undefined)[]> {
    const results = await this.#call({ method: "requestAll", requests: requests.map(plain) });
    return (results as (Refusal | undefined)[]).map((refusal) => refusal && revived(refusal));
  }

  dump(request: Request): Promise<Message[]> {
    return this.#call({ method: "dump", requests: [plain(request)] }) as Promise<Message[]>;
  }

  async batch(begin: Request, requests: readonly Request[], end: Request): Promise<void> {
    await this.#call({ method: "batch", requests: [begin, ...requests, end].map(plain) });
  }
}

/** What another process gets of an object is what stands in it, and some requests reckon. */
function plain({ operation, type, flags, payload }: Request): Request {
  return { operation, type, flags, payload };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Namespace {
  readonly name: string;
  readonly route: RemoteNetlink;
  readonly generic: RemoteNetlink;
  readonly netfilter: RemoteNetlink;
  readonly #worker: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /** A new namespace with `lo` up. Needs root. */
  static async create(): Promise<Namespace> {
    const name = `ipipoud-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    execFileSync("ip", ["netns", "add", name]);
    execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
    const namespace = new Namespace(name);
    await namespace.#ask({ protocol: NETLINK_ROUTE, method: "ready", requests: [] });
    return namespace;
  }

  private constructor(name: string) {
    this.name = name;
    const worker = fileURLToPath(new URL("./netns-worker.js", import.meta.url));
    this.#worker = spawn("ip", ["netns", "exec", name, process.execPath, worker], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    this.#worker.on("message", (answer: Answer) => this.#answered(answer));
    this.#worker.on("exit", (code) => {
      const gone = new Error(`the worker in ${name} ended with ${code}`);
      for (const { reject } of this.#waiting.values()) reject(gone);
    });
    const remote = (protocol: number): RemoteNetlink =>
      new RemoteNetlink((call) => this.#ask({ ...call, protocol }));
    this.route = remote(NETLINK_ROUTE);
    this.generic = remote(NETLINK_GENERIC);
    this.netfilter = remote(NETLINK_NETFILTER);
  }

  /** What `ip -j …` says, parsed; undefined where it prints nothing. */
  ip(...args: string[]): unknown {
    const text = execFileSync("ip", ["-n", this.name, "-j", ...args], { encoding: "utf8" });
    return text.trim() === "" ? undefined : JSON.parse(text);
  }

  /** Runs a program inside; its standard output. */
  run(program: string, ...args: string[]): string {
    const command = ["netns", "exec", this.name, program, ...args];
    return execFileSync("ip", command, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Runs a compiled script inside; what it prints, as JSON. */
  async script(url: URL, ...args: string[]): Promise<unknown> {
    const command = ["netns", "exec", this.name, process.execPath, fileURLToPath(url), ...args];
    const { stdout } = await promisify(execFile)("ip", command, { maxBuffer: 1 << 26 });
    return stdout.trim() === "" ? undefined : JSON.parse(stdout);
  }

  /** The names and indexes of now. */
  async devices(): Promise<Devices> {
    return devicesOf(await this.route.dump(dumpLinks(false)));
  }

  async close(): Promise<void> {
    if (this.#worker.exitCode === null) {
      const exit = once(this.#worker, "exit");
      this.#worker.disconnect();
      await exit;
    }
    execFileSync("ip", ["netns", "del", this.name]);
  }

  #ask(call: Omit<Call, "id">): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.send({ ...call, id });
    });
  }

  #answered({ id, value, refusal, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (refusal !== undefined) waiting?.reject(revived(refusal));
    else if (error !== undefined) waiting?.reject(new Error(error));
    else waiting?.resolve(value);
  }
}

function revived({ operation, errno, text }: Refusal): KernelError {
  return new KernelError(operation, errno, { text });
}
