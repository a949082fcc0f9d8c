/** Tunnels without UDP: one peer at a known address, nothing to prove and no port to prove it on. */
import { Complaint } from "../complaint.ts";
import type { PeerConfig } from "../model.ts";
import type { Problems } from "../problems.ts";
import type { PeerPart } from "../schema/peer.ts";
import type { TunnelPart } from "../schema/tunnel.ts";
import { Secret } from "../secret.ts";
import type { Path } from "../source/document.ts";
import type { PeerContext } from "./peer.ts";
import { withoutRepeats } from "./prefixes.ts";

/** Keys of a peer that speak of ports and authentications. */
const OF_UDP = [
  ...["publicKey", "token", "tokenFile", "tokenBase64", "tokenBase64File", "secret", "secretFile"],
  ...["privateKey", "privateKeyFile", "protocol", "keepalive", "authLifetime", "maxClockSkew"],
  ...["replay", "authTtl", "replyOnAuth", "monitor", "pinPort", "heartbeat"],
] as const;

/** The same of a tunnel. */
const OF_UDP_TUNNEL = [
  "checksum",
  "privateKey",
  "privateKeyFile",
  "protocol",
  "directory",
] as const;

export function checkPlainTunnel(part: TunnelPart, path: Path, problems: Problems): void {
  complainOf(part, OF_UDP_TUNNEL, path, problems);
  if (part.listen?.port !== undefined) {
    problems.add(
      [...path, "listen"],
      new Complaint("a port where there is no UDP", "write [ADDRESS][@DEVICE]"),
    );
  }
  if (Object.keys(part.peers ?? {}).length > 1) {
    problems.add(
      [...path, "peers"],
      new Complaint("several peers and no UDP to tell them apart", "make a tunnel for each"),
      { at: "key" },
    );
  }
}

/** Packets come from its address, or they are dropped: `pinAddress` goes without saying. */
export function buildPlainPeer(
  name: string,
  part: PeerPart,
  { path, problems }: PeerContext,
): PeerConfig {
  complainOf(part, OF_UDP, path, problems);
  if (part.endpoint === undefined) {
    problems.add(
      path,
      new Complaint("no endpoint, and no UDP to prove itself by", "add `endpoint: HOST`"),
      { at: "key" },
    );
  } else if (part.endpoint.port !== 0) {
    problems.add(
      [...path, "endpoint"],
      new Complaint("a port where there is no UDP", "write HOST alone"),
    );
  }
  if (part.pinAddress === false) {
    problems.add(
      [...path, "pinAddress"],
      new Complaint("without UDP the address is all that a peer is known by", "remove it"),
    );
  }
  return Object.freeze({
    ...nothingProven,
    name,
    endpoint: part.endpoint,
    allowedIPs: withoutRepeats(part.allowedIPs),
    resolveInterval: part.resolveInterval ?? RESOLVE_INTERVAL,
  });
}

const RESOLVE_INTERVAL = 5 * 60_000;

const none = Object.freeze({ kind: "none" } as const);

const nothingProven = {
  proof: none,
  identity: none,
  pinAddress: true,
  pinPort: true,
  role: "static",
  secret: new Secret(Buffer.alloc(0)),
  keepalive: 0,
  authLifetime: 0,
  maxClockSkew: RESOLVE_INTERVAL,
  replay: "strict",
  authTtl: 64,
  replyOnAuth: false,
  monitor: undefined,
  node: false,
} as const satisfies Partial<PeerConfig>;

function complainOf<Key extends string>(
  part: Partial<Record<Key, unknown>>,
  keys: readonly Key[],
  path: Path,
  problems: Problems,
): void {
  for (const key of keys) {
    if (part[key] === undefined) continue;
    const what = `\`${key}\` where there is no UDP`;
    problems.add([...path, key], new Complaint(what, "remove it"), { at: "key" });
  }
}
