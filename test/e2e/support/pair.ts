/** The usual two: a server with a public address that waits, and a client behind NAT that dials it. */
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Status } from "../../../src/tunnel/status.ts";
import type { Config, Daemon } from "./daemon.ts";
import { type KeyPair, newKeyPair } from "./keys.ts";

/** Inner addresses. */
export const inner = { server: "172.28.0.1", client: "172.28.0.2" } as const;
export const tunnel = "ipipou0";

export interface Credentials extends KeyPair {
  readonly secret: string;
}

let made = 0;

/** Fresh; the secret is a text that occurs nowhere else. */
export function newCredentials(): Credentials {
  made++;
  return { ...newKeyPair(), secret: `hush-${process.pid}-${made}-hush` };
}

type Settings = Readonly<Record<string, unknown>>;

export interface ServerSettings {
  /** On the client's peer. */
  readonly peer?: Settings;
  /** Further peers make it a hub. */
  readonly peers?: Settings;
  readonly tunnel?: Settings;
  /** Top level. */
  readonly daemon?: Settings;
}

export function serverConfig(
  { publicKey, secret }: Credentials,
  settings: ServerSettings = {},
): Exclude<Config, string> {
  const laptop = { publicKey, secret, allowedIPs: [`${inner.client}/32`], ...settings.peer };
  const own = {
    listen: "203.0.113.1:10000",
    address: `${inner.server}/24`,
    peers: { laptop, ...settings.peers },
    ...settings.tunnel,
  };
  return { tunnels: { [tunnel]: own }, ...settings.daemon };
}

export function clientConfig(
  { privateKey, secret }: Credentials,
  settings: Omit<ServerSettings, "peers"> = {},
): Exclude<Config, string> {
  const server = {
    endpoint: "203.0.113.1:10000",
    secret,
    allowedIPs: ["172.28.0.0/24"],
    keepalive: "27s",
    ...settings.peer,
  };
  const own = {
    address: `${inner.client}/24`,
    privateKey,
    peers: { server },
    ...settings.tunnel,
  };
  return { tunnels: { [tunnel]: own }, ...settings.daemon };
}

/** `status --json`, without the second that another node takes to start. */
export async function statusOf({ folder }: Daemon): Promise<Status> {
  const socket = connect(join(folder, "control.sock"));
  socket.end('{"command": "status"}\n');
  const { result } = JSON.parse(await text(socket)) as { result: Status };
  return result;
}
