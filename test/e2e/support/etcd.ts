/** A cluster of three etcd members in one host of the topology, and what a person at it writes and kills. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { etcdProgram } from "../../lab/paths.ts";
import type { Host } from "./host.ts";
import type { Program } from "./program.ts";

/** Requests from the standard input, one a line, to the gateway of any member: a start of Python takes a second. */
const script = `
import json, sys, urllib.request
for line in sys.stdin:
    url, _, body = line.rstrip("\\n").partition(" ")
    try:
        with urllib.request.urlopen(url, body.encode(), 3) as answer:
            print("answer", json.dumps(json.load(answer)), flush=True)
    except Exception as error:
        print("failed", error, flush=True)
`;

/** Each vouches for itself: the members' and a node's, and both of them for the members. */
const certificates = `
for one in member node; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$one" \\
    -keyout "$0/$one.key" -out "$0/$one.pem" -addext "subjectAltName=IP:$1" 2>/dev/null
done
cat "$0/member.pem" "$0/node.pem" >"$0/trusted.pem"`;

type Answer = Readonly<Record<string, unknown>>;

const numbers = [1, 2, 3] as const;

export class Etcd {
  readonly #host: Host;
  readonly #folder: string;
  readonly #asking: Program;
  readonly #members = new Map<number, Program>();

  private constructor(host: Host, folder: string, asking: Program) {
    this.#host = host;
    this.#folder = folder;
    this.#asking = asking;
  }

  static async start(host: Host): Promise<Etcd> {
    const folder = await mkdtemp(join(tmpdir(), "ipipoud-etcd-"));
    await host.run("sh", "-ec", certificates, folder, host.address);
    const asking = host.start("/usr/bin/python3", ["-uc", script]);
    const etcd = new Etcd(host, folder, asking);
    for (const number of numbers) etcd.revive(number);
    return etcd;
  }

  get members(): string[] {
    return numbers.map((number) => this.#url(number));
  }

  /** The same ones by TLS; they want a certificate of whoever asks. */
  get secureMembers(): string[] {
    return numbers.map((number) => this.#secureUrl(number));
  }

  /** The members' and a node's certificates, and the latter's key. */
  get files(): { readonly member: string; readonly node: string; readonly nodeKey: string } {
    const [member = "", node = "", nodeKey = ""] = ["member.pem", "node.pem", "node.key"].map(
      (name) => join(this.#folder, name),
    );
    return { member, node, nodeKey };
  }

  /** kill -9. */
  async kill(number: number): Promise<void> {
    await this.#members.get(number)?.stop("SIGKILL");
    this.#members.delete(number);
  }

  async killAll(): Promise<void> {
    await Promise.all(numbers.map((number) => this.kill(number)));
  }

  revive(number: number): void {
    const peer = (one: number): string => `http://${this.#host.address}:${2380 + one * 100}`;
    const all = numbers.map((one) => `m${one}=${peer(one)}`).join();
    const args = [
      ...["--name", `m${number}`, "--data-dir", join(this.#folder, `m${number}`)],
      ...["--listen-client-urls", `${this.#url(number)},${this.#secureUrl(number)}`],
      ...["--advertise-client-urls", this.#url(number)],
      ...["--cert-file", this.files.member, "--key-file", join(this.#folder, "member.key")],
      ...["--client-cert-auth", "--trusted-ca-file", join(this.#folder, "trusted.pem")],
      ...["--listen-peer-urls", peer(number), "--initial-advertise-peer-urls", peer(number)],
      ...["--initial-cluster", all, "--log-level", "error"],
      // One emulated processor for all three, and for those who ask them.
      ...["--heartbeat-interval", "200", "--election-timeout", "2000"],
    ];
    this.#members.set(number, this.#host.start(etcdProgram, args));
  }

  reviveAll(): void {
    for (const number of numbers) if (!this.#members.has(number)) this.revive(number);
  }

  /** Writes each of these in one step, as soon as the cluster takes it; undefined: it goes. */
  async put(entries: Readonly<Record<string, object | string | undefined>>): Promise<void> {
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const success = Object.entries(entries).map(([key, value]) => {
      if (value === undefined) return { request_delete_range: { key: base64(key) } };
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return { request_put: { key: base64(key), value: base64(text) } };
    });
    await this.#ask("kv/txn", { success });
  }

  /** The value that stands there; undefined: none. */
  async get(key: string): Promise<unknown> {
    const answer = await this.#ask("kv/range", { key: Buffer.from(key).toString("base64") });
    const [pair] = (answer["kvs"] ?? []) as { value: string }[];
    return pair && (JSON.parse(Buffer.from(pair.value, "base64").toString()) as unknown);
  }

  /** The number of the member that leads. */
  async leader(): Promise<number> {
    for (const number of this.#members.keys()) {
      const status = await this.#ask("maintenance/status", {}, number);
      const { member_id: id } = status["header"] as Answer;
      if (status["leader"] === id) return number;
    }
    throw new Error("no leader");
  }

  async stop(): Promise<void> {
    await this.killAll();
    await this.#asking.stop("SIGKILL");
    await rm(this.#folder, { recursive: true });
  }

  #url(number: number): string {
    return `http://${this.#host.address}:${2379 + number * 100}`;
  }

  #secureUrl(number: number): string {
    return `https://${this.#host.address}:${2381 + number * 100}`;
  }

  /** Any member that runs, again and again until it is done. */
  async #ask(method: string, body: object, only?: number): Promise<Answer> {
    const end = Date.now() + 60_000;
    let said = "";
    for (let turn = 0; Date.now() < end; turn++) {
      const running = [...this.#members.keys()];
      const number = only ?? running[turn % running.length] ?? 1;
      const from = this.#asking.lines.length;
      const line = `${this.#url(number)}/v3/${method} ${JSON.stringify(body)}\n`;
      this.#asking.child.stdin?.write(line);
      said = await this.#asking.line(/^(answer|failed) /, { from });
      if (said.startsWith("answer ")) return JSON.parse(said.slice(7)) as Answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(
      `${method}: ${said}; ${[...this.#members].map(([, one]) => one.lines.slice(-3).join("\n")).join("\n")}`,
    );
  }
}
