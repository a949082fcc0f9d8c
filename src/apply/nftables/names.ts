/**
 * Names in our table. `nft` takes letters, digits and `_ - . /` in a name; interfaces may be called
 * otherwise (anything but a slash and white space), so other bytes are written as a slash and two
 * hexadecimal digits.
 */
import type { IpAddress } from "../../net/address.ts";

/** The table's comment begins so: how we know after a crash that a table of this name is ours. */
export const OWNER = "ipipoud";
/** Changes when another version's ruleset could not be read back as proofs. */
export const OWNER_COMMENT = `${OWNER} 1`;

export const PREROUTING = "prerouting";
export const OUTPUT = "output";
/** Checks the time in an authentication from an endpoint that no peer has. */
export const EPOCHS = "epochs";
/** The same for one that is longer than everybody's. */
export const LONGER = "longer";
/** Limits what comes from endpoints that no peer has, and queues it. */
export const STRANGERS = "strangers";
/** What comes from an address that has sent something a moment ago. */
export const RETURNING = "returning";
/** What has no share of its own in the total, or has used it up. */
export const NEWCOMERS = "newcomers";
/** What is above the rate of its address, which anyone can write. */
export const OVER = "over";

/** Set: what each stranger's address has left of its rate. */
export const SOURCES = "sources";
/** Set: strangers' addresses that have sent something in the last seconds. */
export const SEEN = "seen";
/** Set: ports of addresses that are above their rate, and what each has left of its own. */
export const PLACES = "places";
/** Set: strangers' addresses that were above their rate a moment ago; {@link EVERYBODY} for all together. */
export const LIMITED = "limited";
/** In {@link LIMITED}: the rate of all strangers together is used up. */
export const EVERYBODY = "0.0.0.0" as IpAddress;
/** Set: our own interfaces. */
export const TUNNELS = "tunnels";
/** Map: local address → its chain. */
export const LOCALS = "locals";
/** Map: a device's local address and port → the sending chain of its hub or translated tunnel. */
export const HUBS = "hubs";
/** Takes what is never right: packets that came from outside for an id. */
export const CLOSED = "closed";
/** Turns defragmentation on, and is never jumped to. */
export const DEFRAGMENT = "defragment";
/** Writes the stand-ins of translated tunnels that connection tracking shall see, after it. */
export const TRANSLATE = "translate";
/** Map: local address and port on the wire → the tunnel's stand-in. */
export const STAND_INS = "stand-ins";
/** Map: outer source and destination → the chain of a tunnel without UDP. */
export const PLAIN = "plain";
/** Marks of what comes in and goes on, and of what is sent here. */
export const MARK_FORWARDED = "mark-forwarded";
export const MARK_LOCAL = "mark-local";
/** Set: addresses and ports of our tunnels' own packets. */
export const OUTER = "outer";
/** TCP's segment size. */
export const CLAMP = "clamp";

/** Chain of a local address and a port for heartbeats. */
export const heartbeatChain = (local: IpAddress, port: number): string =>
  `${HEARTBEAT}${local}-${port}`;
export const HEARTBEAT = "heartbeat-";

/** Chain of a local address. */
export const toLocal = (local: IpAddress): string => `to-${local}`;
/** Map of a local address: destination port → the tunnel's chain. */
export const portsOf = (local: IpAddress): string => `ports-${local}`;

const perTunnel =
  (start: string) =>
  (tunnel: string): string =>
    `${start}-${toName(tunnel)}`;

export const tunnelChain = perTunnel("tunnel");
export const authenticationChain = perTunnel("auth");
/** What comes without UDP from a tunnel's peer. */
export const plainChain = perTunnel("plain");
/** Sending chain of a hub or a translated tunnel. */
export const fromHub = perTunnel("from");
/** Set: outer source, both ports, inner source. */
export const knownSet = perTunnel("known");
/** Set: outer source, inner source, of peers that may send from any port. */
export const nodesSet = perTunnel("nodes");
/** Map: outer source, both ports → the peer's chain. */
export const peersMap = perTunnel("peers");
/** Set: outer source, both ports, each with its own rate of authentications. */
export const endpointsSet = perTunnel("endpoints");
/** Map of a hub: outer destination, or a translated peer's id → destination port. */
export const destinationPortMap = perTunnel("dport");
/** Map of a hub: id of a translated peer → outer destination. */
export const realMap = perTunnel("real");
/** Sending chain of a hub's translated peers. */
export const toIds = perTunnel("ids");
/** Set: every single inner address of the tunnel's peers, where some peer's network surrounds many. */
export const hostsSet = perTunnel("hosts");
/** Set: addresses of peers whose bare protocol 4 is dropped though a foreign device takes all others'. */
export const guardSet = perTunnel("guard");

/** How the names begin of what one tunnel has. */
const PER_TUNNEL: ReadonlySet<string> = new Set(
  [
    tunnelChain,
    plainChain,
    authenticationChain,
    fromHub,
    knownSet,
    nodesSet,
    peersMap,
    endpointsSet,
    destinationPortMap,
    realMap,
    toIds,
    guardSet,
  ].map((make) => make("")),
);

/** Chain of a peer that has prefixes. */
export const peerChain = (tunnel: string, id: number): string => `peer-${toName(tunnel)}-${id}`;

/** The inverse of {@link peerChain}. */
export function inPeerChain(
  name: string,
): { readonly tunnel: string; readonly id: number } | undefined {
  const [, tunnel, id] = /^peer-(.*)-([0-9]+)$/.exec(name) ?? [];
  return tunnel === undefined ? undefined : { tunnel: fromName(tunnel), id: Number(id) };
}

/** Whether what has this name decides that incoming packets are written to a stand-in. */
export function writesDestination(name: string): boolean {
  return (
    name === STAND_INS ||
    inPeerChain(name) !== undefined ||
    tunnelIn(name, tunnelChain) !== undefined
  );
}

/** The tunnel in a name that `make` made; undefined for other names. */
export function tunnelIn(name: string, make: (tunnel: string) => string): string | undefined {
  const start = make("");
  return name.startsWith(start) ? fromName(name.slice(start.length)) : undefined;
}

/** The tunnel that an object of this name belongs to; null for what belongs to all. */
export function tunnelOf(name: string): string | null {
  const start = name.slice(0, name.indexOf("-") + 1);
  if (PER_TUNNEL.has(start)) return fromName(name.slice(start.length));
  return inPeerChain(name)?.tunnel ?? null;
}

/** Remembers what a kernel parameter was. */
export const sysctlChain = (name: string): string =>
  `sysctl-${name.split("/").map(toName).join(".")}`;

function toName(name: string): string {
  if (/^[A-Za-z0-9_.-]*$/.test(name)) return name;
  return Array.from(Buffer.from(name), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_.-]/.test(character) ? character : `/${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}

function fromName(name: string): string {
  if (!name.includes("/")) return name;
  const percent = name.replaceAll("%", "%25").replaceAll("/", "%");
  try {
    return decodeURIComponent(percent);
  } catch {
    return name;
  }
}
