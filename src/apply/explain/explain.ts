/**
 * What would happen now to packets from and to an address: which packets are worth a look, and each one's
 * way. Pure: questions about routes go to whoever drives it.
 */
import type { PeerConfig, TunnelConfig } from "../../config/model.ts";
import type { IpAddress } from "../../net/address.ts";
import { isPlain } from "../../plan/form.ts";
import { authentications } from "../../plan/gate-of.ts";
import { proofLength, walkIn } from "./incoming.ts";
import type { Explained, Explanation, Incoming, Scene, Walk } from "./model.ts";
import { walkOut } from "./outgoing.ts";
import { innerAddressOf, sendsFrom, Who } from "./who.ts";
import { dropped, lasting, noProof, PROVE } from "./words.ts";

export interface Wanted {
  readonly address: IpAddress;
  /** Makes it an outer address; undefined: any. */
  readonly port: number | undefined;
  /** The one tunnel that is asked about. */
  readonly tunnel: TunnelConfig | undefined;
  /** Inner source of data from an outer address. */
  readonly source: IpAddress | undefined;
}

/** Of a stranger, who could mean any of them. */
const MOST_TUNNELS = 3;
/** Of an address at which many peers stand. */
const MOST_ENDPOINTS = 8;
/** A port that nobody has, where none is asked for. */
const SOME_PORT = 40_000;

export function* explain(scene: Scene, wanted: Wanted): Walk<Explanation> {
  const who = new Who(scene);
  const { address, port, source, tunnel } = wanted;
  const owner =
    port === undefined && source === undefined ? who.ownerOf(address, tunnel) : undefined;
  if (owner === undefined) return yield* explainOuter(scene, who, wanted);
  const packets: Explained[] = [];
  const { peer } = owner;
  const out = { destination: address, source: undefined, tunnel: owner.tunnel, peer };
  packets.push(yield* walkOut(scene, who, out));
  if (peer !== undefined) packets.push(yield* fromInner(scene, who, owner.tunnel, peer, address));
  return { address, kind: "inner", packets, omitted: 0 };
}

/** Data of the peer that has this inner address, from where it stands. */
function* fromInner(
  scene: Scene,
  who: Who,
  tunnel: TunnelConfig,
  peer: PeerConfig,
  source: IpAddress,
): Walk<Explained> {
  const standing = who.of(tunnel, peer);
  if (standing !== undefined) {
    const { endpoint: from } = standing;
    return yield* walkIn(scene, who, {
      ...{ packet: "data", tunnel, peer, from, anyPort: false, source },
    });
  }
  return {
    ...{ direction: "in", packet: "data", tunnel: tunnel.name, peer: peer.name },
    ...{ from: null, to: null, source, destination: tunnel.addresses[0]?.local ?? null },
    steps: [{ step: "gate", what: `no set of the gate has an endpoint of ${peer.name}` }],
    ...dropped(`${noProof(peer)}${lasting(peer)}, so nothing is let in from it`, PROVE),
  };
}

function* explainOuter(scene: Scene, who: Who, wanted: Wanted): Walk<Explanation> {
  const { address, port, tunnel, source } = wanted;
  const packets: Explained[] = [];
  const standing = who.standing
    .filter(({ endpoint }) => endpoint.address === address)
    .filter((left) => port === undefined || sendsFrom(left, { address, port }))
    .filter((left) => tunnel === undefined || left.tunnel === tunnel)
    .slice(0, MOST_ENDPOINTS);
  for (const { tunnel: its, peer, endpoint } of standing) {
    const from = port === undefined ? endpoint : { address, port };
    const inner = source ?? innerAddressOf(its, peer);
    const known = { tunnel: its, peer, from, anyPort: false };
    packets.push(yield* walkIn(scene, who, { ...known, packet: "data", source: inner }));
    const proof = isAwaited([peer]) ? "proof" : "answer";
    if (!isPlain(its) && proofLength(its, peer) !== undefined) {
      packets.push(yield* walkIn(scene, who, { ...known, packet: proof, source: undefined }));
    }
    if (!isPlain(its)) {
      packets.push(yield* walkIn(scene, who, { ...known, packet: "protocol 4", source: inner }));
    }
    const destination = innerAddressOf(its, peer);
    if (destination === undefined) continue;
    packets.push(yield* walkOut(scene, who, { destination, source: undefined, tunnel: its, peer }));
  }
  if (standing.length > 0) return { address, kind: "outer", packets, omitted: 0 };
  const tunnels = tunnel === undefined ? scene.configuration.tunnels : [tunnel];
  for (const one of tunnels.slice(0, MOST_TUNNELS)) {
    for (const packet of strangersPackets(one, wanted, who)) {
      packets.push(yield* walkIn(scene, who, packet));
    }
  }
  const omitted = Math.max(0, tunnels.length - MOST_TUNNELS);
  return { address, kind: "outer", packets, omitted };
}

/** From where nobody of the tunnel stands. */
function strangersPackets(
  tunnel: TunnelConfig,
  { address, port, source }: Wanted,
  who: Who,
): Incoming[] {
  const claimed = source === undefined ? undefined : who.ownerOf(source, tunnel)?.peer;
  // The peer that would be missed most: of a hub any is as good as another.
  const peer = claimed ?? tunnel.peers[0];
  const inner = source ?? (peer && innerAddressOf(tunnel, peer));
  const somePort = port ?? freePort(tunnel, address, who);
  const from = { address, port: isPlain(tunnel) ? 0 : somePort };
  const common = { tunnel, peer: undefined, from, anyPort: port === undefined };
  const packets: Incoming[] = [{ ...common, packet: "data", source: inner }];
  if (isPlain(tunnel)) return packets;
  if (isAwaited(tunnel.peers)) packets.push({ ...common, packet: "proof", source: undefined });
  packets.push({ ...common, packet: "junk", source: undefined });
  packets.push({ ...common, packet: "protocol 4", source: inner });
  return packets;
}

/** Whether one of them may prove himself to us. */
function isAwaited(peers: readonly PeerConfig[]): boolean {
  return authentications({ peers }).length > 0;
}

function freePort(tunnel: TunnelConfig, address: IpAddress, who: Who): number {
  let port = SOME_PORT;
  while (who.at(tunnel, { address, port }).length > 0) port++;
  return port;
}
