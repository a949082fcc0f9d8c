/** Configurations that several test files have in common, and what their daemons say of themselves. */
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Daemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { type KeyPair, newKeyPair } from "./keys.ts";

export const secret = "between us";
export const port = 10_000;
export const serverInner = "172.28.0.1";

/** A client of a test: its key and its inner address. */
export interface Party {
  readonly name: string;
  readonly keys: KeyPair;
  readonly inner: string;
}

/** 172.28.0.2 and following. */
export function party(number = 0): Party {
  return { name: `client${number}`, keys: newKeyPair(), inner: `172.28.0.${2 + number}` };
}

export interface ServerOptions {
  readonly port?: number;
  readonly address?: string;
  /** Inner addresses of each party; its own by default. */
  readonly allowedIPs?: readonly string[];
  readonly peer?: Readonly<Record<string, unknown>>;
}

/** A tunnel of 203.0.113.1 that waits for these: direct for one, a hub for several. */
export function waitingTunnel(
  parties: readonly Party[],
  options: ServerOptions = {},
): Record<string, unknown> {
  const { address = `${serverInner}/24`, allowedIPs, peer } = options;
  const peers = parties.map(({ name, keys, inner }) => [
    name,
    { publicKey: keys.publicKey, secret, allowedIPs: allowedIPs ?? [`${inner}/32`], ...peer },
  ]);
  return {
    listen: `203.0.113.1:${options.port ?? port}`,
    address,
    peers: Object.fromEntries(peers),
  };
}

/** Rates that no test meets by accident. */
export const openQueue = { ratePerSource: "100000/s", rateTotal: "100000/s" };

export function serverConfig(
  parties: readonly Party[],
  options: ServerOptions = {},
): Record<string, unknown> {
  return { queue: openQueue, tunnels: { ipipou0: waitingTunnel(parties, options) } };
}

export interface ClientOptions {
  readonly port?: number;
  readonly keepalive?: string;
  readonly server?: string;
  readonly allowedIPs?: readonly string[];
  readonly localPort?: number;
}

/** Local UDP port of clients. */
export const clientPort = 5000;

/** A tunnel that dials. */
export function dialledTunnel(
  { keys, inner }: Party,
  options: ClientOptions = {},
): Record<string, unknown> {
  const { server = `203.0.113.1:${options.port ?? port}`, keepalive = "25s" } = options;
  const allowedIPs = options.allowedIPs ?? [inner.replace(/\d+$/, "0/24")];
  return {
    listen: `:${options.localPort ?? clientPort}`,
    address: `${inner}/24`,
    privateKey: keys.privateKey,
    peers: { server: { endpoint: server, secret, allowedIPs, keepalive } },
  };
}

export function clientConfig(one: Party, options: ClientOptions = {}): Record<string, unknown> {
  return { tunnels: { ipipou0: dialledTunnel(one, options) } };
}

export interface PeerState {
  readonly name: string;
  readonly state: string;
  readonly form: string;
  readonly endpoint: string | null;
  readonly lastAuthentication: string | null;
}

export interface State {
  readonly tunnels: readonly {
    readonly name: string;
    readonly listen: { readonly port: number | null };
    readonly peers: readonly PeerState[];
  }[];
  readonly queue: {
    readonly received: number;
    readonly accepted: number;
    readonly refused: number;
    readonly dropped: number;
  };
}

/** What `ipipoud status --json` prints, asked for without starting it: a start takes seconds in a guest. */
export async function statusOf(daemon: Daemon): Promise<State> {
  const socket = connect(join(daemon.folder, "control.sock"));
  socket.write('{"command":"status"}\n');
  for await (const line of createInterface(socket)) {
    socket.destroy();
    const { result, error } = JSON.parse(line) as { result?: State; error?: unknown };
    if (result !== undefined) return result;
    throw new Error(`status: ${JSON.stringify(error)}`);
  }
  throw new Error("status: the daemon said nothing");
}

export function peerOf(state: State, name: string, tunnel = "ipipou0"): PeerState {
  const peers = state.tunnels.find((one) => one.name === tunnel)?.peers;
  const peer = peers?.find((one) => one.name === name);
  if (peer === undefined) throw new Error(`${tunnel}/${name} is not in ${JSON.stringify(state)}`);
  return peer;
}

/** Starts a client and waits until its tunnel carries a ping. */
export async function startClient(
  host: Host,
  one: Party,
  options: ClientOptions & { readonly target?: string } = {},
): Promise<Daemon> {
  const daemon = await Daemon.start(host, clientConfig(one, options));
  const target = options.target ?? serverInner;
  await eventually(() => host.reaches(target, 1), {
    what: `a ping from ${one.name}; its log:\n${daemon.log.join("\n")}`,
  });
  return daemon;
}
