/**
 * A cluster of etcd as its gateways show it: members that share keys, each with a port of its own, which do
 * everything wrong when told to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";

interface Stored {
  readonly value: string;
  readonly revision: number;
  readonly lease: string | undefined;
}

interface Watcher {
  readonly member: number;
  readonly response: ServerResponse;
}

type Body = Readonly<Record<string, unknown>>;

/** What a member does instead of answering; undefined: it answers. */
export type Fault = (path: string, response: ServerResponse) => boolean;

export interface FakeEtcdOptions {
  readonly members?: number;
  readonly user?: { readonly name: string; readonly password: string };
  readonly tls?: TlsOptions;
}

const decode = (text: unknown): string => Buffer.from(String(text ?? ""), "base64").toString();
const encode = (text: string): string => Buffer.from(text).toString("base64");

export class FakeEtcd {
  readonly keys = new Map<string, Stored>();
  /** Paths of all requests so far. */
  readonly asked: string[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  /** By member. */
  readonly faults = new Map<number, Fault>();
  readonly leases = new Map<string, { ttl: number; kept: number }>();
  revision = 1;
  clusterId = "1";
  /** What was before this can't be watched any more. */
  compacted = 0;
  /** Tokens that are good now. */
  tokens = new Set<string>();
  #servers: (Server | undefined)[] = [];
  #ports: number[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #options: FakeEtcdOptions;
  #made = 0;

  private constructor(options: FakeEtcdOptions) {
    this.#options = options;
  }

  static async start(options: FakeEtcdOptions = {}): Promise<FakeEtcd> {
    const fake = new FakeEtcd(options);
    for (let i = 0; i < (options.members ?? 1); i++) await fake.revive(i);
    return fake;
  }

  get urls(): string[] {
    const scheme = this.#options.tls === undefined ? "http" : "https";
    return this.#ports.map((port) => `${scheme}://127.0.0.1:${port}`);
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Which members are watched now. */
  get watched(): number[] {
    return [...this.#watchers].map(({ member }) => member);
  }

  async revive(member: number): Promise<void> {
    const { tls } = this.#options;
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#take(member, request, response);
    const server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
    await new Promise<void>((done) => server.listen(this.#ports[member] ?? 0, "127.0.0.1", done));
    this.#servers[member] = server;
    this.#ports[member] = (server.address() as AddressInfo).port;
  }

  kill(member: number): void {
    this.#servers[member]?.close();
    this.#servers[member]?.closeAllConnections();
    this.#servers[member] = undefined;
  }

  stop(): void {
    for (const member of this.#servers.keys()) this.kill(member);
  }

  put(entries: Readonly<Record<string, string | undefined>>, lease?: string): void {
    this.revision++;
    const events = Object.entries(entries).map(([key, value]) => {
      const mod_revision = String(this.revision);
      if (value === undefined) {
        this.keys.delete(key);
        return { type: "DELETE", kv: { key: encode(key), mod_revision } };
      }
      this.keys.set(key, { value, revision: this.revision, lease });
      return { kv: { key: encode(key), value: encode(value), mod_revision } };
    });
    this.tell({ result: { header: this.#header(), events } });
  }

  /** One line to everybody who watches. */
  tell(message: object): void {
    for (const { response } of this.#watchers) response.write(`${JSON.stringify(message)}\n`);
  }

  /** Every watch is cut off. */
  cut(): void {
    for (const { response } of this.#watchers) response.destroy();
  }

  #header(): object {
    return { cluster_id: this.clusterId, member_id: "7", revision: String(this.revision) };
  }

  async #take(member: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").replace("/v3/", "");
    this.asked.push(path);
    this.headers.push(request.headers);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (this.faults.get(member)?.(path, response) === true) return;
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
    const { user } = this.#options;
    if (path === "auth/authenticate") {
      if (user !== undefined && body["name"] === user.name && body["password"] === user.password) {
        const token = `token.${++this.#made}`;
        this.tokens.add(token);
        response.end(JSON.stringify({ header: this.#header(), token }));
      } else
        refuse(response, 400, 3, "etcdserver: authentication failed, invalid user ID or password");
      return;
    }
    if (user !== undefined && !this.tokens.has(String(request.headers.authorization))) {
      refuse(response, 401, 16, "etcdserver: invalid auth token");
      return;
    }
    if (path === "watch") this.#watch(member, body, response);
    else response.end(JSON.stringify(this.#answer(path, body)));
  }

  #answer(path: string, body: Body): object {
    switch (path) {
      case "kv/range":
        return this.#range(body);
      case "kv/put": {
        const lease = body["lease"] === undefined ? undefined : String(body["lease"]);
        this.put({ [decode(body["key"])]: decode(body["value"]) }, lease);
        return { header: this.#header() };
      }
      case "kv/deleterange":
        this.put({ [decode(body["key"])]: undefined });
        return { header: this.#header() };
      case "kv/txn": {
        const succeeded = (body["compare"] as Body[]).every((one) => this.#compare(one));
        for (const request of (succeeded ? body["success"] : []) as Body[]) {
          const { request_put: put, request_delete_range: gone } = request;
          this.#answer(put === undefined ? "kv/deleterange" : "kv/put", (put ?? gone) as Body);
        }
        return { header: this.#header(), ...(succeeded && { succeeded }) };
      }
      case "lease/grant": {
        // More digits than a number of JavaScript has.
        const ID = `7587877203811${100_000 + ++this.#made}`;
        this.leases.set(ID, { ttl: Number(body["TTL"]), kept: 0 });
        return { header: this.#header(), ID, TTL: String(body["TTL"]) };
      }
      case "lease/keepalive": {
        const lease = this.leases.get(String(body["ID"]));
        if (lease !== undefined) lease.kept++;
        return {
          result: {
            header: this.#header(),
            ID: body["ID"],
            ...(lease && { TTL: String(lease.ttl) }),
          },
        };
      }
      case "lease/revoke":
        this.expire(String(body["ID"]));
        return { header: this.#header() };
      default:
        return {};
    }
  }

  /** Its keys go with it. */
  expire(lease: string): void {
    this.leases.delete(lease);
    const gone = [...this.keys].filter(([, stored]) => stored.lease === lease);
    if (gone.length > 0) this.put(Object.fromEntries(gone.map(([key]) => [key, undefined])));
  }

  /** Of those that a directory asks for. */
  #compare({ key, target, result, lease, create_revision: created }: Body): boolean {
    const stored = this.keys.get(decode(key));
    if (result !== "EQUAL") throw new Error(`compare: ${String(result)}`);
    if (target === "LEASE") return (stored?.lease ?? "0") === lease;
    if (target !== "CREATE" || created !== "0") throw new Error(`compare: ${String(target)}`);
    return stored === undefined;
  }

  #range(body: Body): object {
    const [from, to] = [decode(body["key"]), decode(body["range_end"])];
    const all = [...this.keys]
      .filter(([key]) => (to === "" ? key === from : key >= from && key < to))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const least = Number(body["min_mod_revision"] ?? 0);
    const limit = Number(body["limit"] ?? 0) || Infinity;
    const newer = all.filter(([, { revision }]) => revision >= least);
    const kvs = body["count_only"] === true ? [] : newer.slice(0, limit);
    return {
      header: this.#header(),
      kvs: kvs.map(([key, { value, revision }]) => ({
        ...{ key: encode(key), value: encode(value), mod_revision: String(revision) },
      })),
      ...(newer.length > kvs.length && { more: true }),
      count: String(all.length),
    };
  }

  #watch(member: number, body: Body, response: ServerResponse): void {
    const asked = body["create_request"] as Body;
    const start = Number(asked["start_revision"]);
    const header = this.#header();
    const send = (result: object): void => void response.write(`${JSON.stringify({ result })}\n`);
    send({ header, created: true });
    if (start < this.compacted) {
      send({ header, canceled: true, compact_revision: String(this.compacted) });
      return;
    }
    const missed = [...this.keys].filter(([, { revision }]) => revision >= start);
    if (missed.length > 0) {
      const events = missed.map(([key, { value, revision }]) => ({
        kv: { key: encode(key), value: encode(value), mod_revision: String(revision) },
      }));
      send({ header, events });
    }
    const watcher: Watcher = { member, response };
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
  }
}

export function refuse(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
): void {
  response.writeHead(status).end(JSON.stringify({ error: message, message, code }));
}
