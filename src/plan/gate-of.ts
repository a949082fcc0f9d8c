/** The gate that a configuration and a situation ask for. */
import {
  type Configuration,
  isAwaited,
  type PeerConfig,
  type TunnelConfig,
} from "../config/model.ts";
import { narrowerOfOthers } from "./claims.ts";
import { formOfTunnel, isPlain } from "./form.ts";
import type {
  AuthenticationLength,
  Gate,
  GateHeartbeat,
  GatePlain,
  GateTunnel,
  LongerAuthentications,
} from "./gate.ts";
import { keyOfPeer } from "./ids.ts";
import { gatePeer, localOf, mtuOf, plainGate, standInOf, type TunnelContext } from "./peer.ts";
import type { KnownEndpoint, Situation } from "./situation.ts";

/** Protocol 1 with a key: signature (64), time (5), salt (4). */
const KEY_PAYLOAD = 73;
/** As far as more behind the salt verifies: wire/protocol1.ts. */
const LONGEST_KEY_PAYLOAD = 168;
/** The two headers without options. */
const IP_AND_TCP = 40;
/** One step of the time field's upper 24 bits, in seconds. */
const EPOCH = 65_536;

export function gateOf(
  configuration: Configuration,
  situation: Situation,
  contexts: readonly TunnelContext[],
): Gate {
  return {
    table: configuration.table,
    counters: configuration.counters,
    queue: configuration.queue,
    epochs: epochs(situation.now, mostSkew(configuration) / 1000),
    tunnels: contexts
      .filter(({ tunnel }) => !isPlain(tunnel))
      .map((context) => gateTunnel(configuration, situation, context)),
    plain: contexts.flatMap((context) => plainTunnel(configuration, situation, context)),
    marks: contexts.flatMap(({ tunnel }) =>
      tunnel.marks.map((mark) => ({ ...mark, tunnel: tunnel.interface })),
    ),
    clamps: contexts
      .filter(({ tunnel }) => tunnel.clampMss)
      .map((context) => ({
        tunnel: context.tunnel.interface,
        segment: mtuOf(context) - IP_AND_TCP,
      })),
    foreignIpip: situation.foreignIpip,
  };
}

/** Milliseconds. */
function mostSkew({ tunnels }: Configuration): number {
  let most = 0;
  for (const { peers } of tunnels) {
    for (const { role, maxClockSkew } of peers) {
      if (role === "wait" && maxClockSkew > most) most = maxClockSkew;
    }
  }
  return most;
}

/**
 * A tunnel's part of the gate, without its peers.
 *
 * @param only Where the peer of a direct tunnel is: the one thing in it that a roam can change.
 */
export function gateTunnelHead(
  configuration: Configuration,
  context: TunnelContext,
  only: KnownEndpoint | undefined,
): GateTunnel {
  const { tunnel, underlay } = context;
  const waits = tunnel.directory !== undefined || tunnel.peers.some(({ role }) => role === "wait");
  return {
    name: tunnel.interface,
    local: localOf(context),
    port: underlay.port,
    standIn: standInOf(context, only),
    form: formOfTunnel(tunnel),
    mark: context.fwmark,
    conntrack: configuration.conntrack ?? (waits ? "bypass" : "track"),
    checksum: tunnel.checksum ?? false,
    authentications: authentications(tunnel),
    longer: longer(tunnel),
    replies: replies(tunnel),
    heartbeats: heartbeats(tunnel),
    heartbeatPorts: heartbeatPorts(tunnel),
    grows: tunnel.directory !== undefined,
    peers: [],
  };
}

/** The values that the upper 24 bits of a fresh packet's time can have around `now` (seconds). */
export function epochs(now: number, skew: number): number[] {
  // A host without a battery for its clock starts in 1970.
  const first = Math.max(0, Math.floor((now - skew) / EPOCH));
  const last = Math.max(0, Math.floor((now + skew) / EPOCH));
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function gateTunnel(
  configuration: Configuration,
  situation: Situation,
  context: TunnelContext,
): GateTunnel {
  const { tunnel } = context;
  const others = narrowerOfOthers(tunnel);
  const knownOf = (peer: PeerConfig): KnownEndpoint | undefined =>
    situation.endpoints.get(keyOfPeer(context.ids, peer));
  const peers = tunnel.peers.map((peer) =>
    gatePeer(context, peer, knownOf(peer), others.get(peer)),
  );
  const only = formOfTunnel(tunnel) === "direct" ? tunnel.peers.map(knownOf)[0] : undefined;
  return { ...gateTunnelHead(configuration, context, only), peers };
}

/** One, or none for a tunnel with UDP. */
function plainTunnel(
  configuration: Configuration,
  situation: Situation,
  context: TunnelContext,
): GatePlain[] {
  const { tunnel } = context;
  if (!isPlain(tunnel)) return [];
  return tunnel.peers.map((peer) => {
    const known = situation.endpoints.get(keyOfPeer(context.ids, peer));
    return plainGate(context, peer, known, configuration.conntrack ?? "track");
  });
}

/** What peers of the tunnel may send to prove themselves. */
export function authentications(tunnel: Pick<TunnelConfig, "peers">): AuthenticationLength[] {
  const lengths = new Map<number, boolean>();
  for (const peer of tunnel.peers) {
    if (!isAwaited(peer) || peer.proof.kind === "heartbeat") continue;
    const { payload, timed } = authentication(peer);
    lengths.set(payload, timed && (lengths.get(payload) ?? true));
  }
  return [...lengths]
    .map(([payload, timed]) => ({ payload, timed }))
    .sort((a, b) => a.payload - b.payload);
}

function heartbeats({ peers }: TunnelConfig): GateHeartbeat[] {
  const found: GateHeartbeat[] = [];
  for (const { proof } of peers) {
    if (proof.kind === "heartbeat") found.push({ port: proof.port, secret: proof.secret });
  }
  return found;
}

function heartbeatPorts({ peers }: TunnelConfig): number[] {
  const ports = new Set<number>();
  for (const { identity } of peers) if (identity.kind === "heartbeat") ports.add(identity.port);
  return [...ports];
}

function longer({ peers }: TunnelConfig): LongerAuthentications | undefined {
  const keys = peers.filter(({ role, proof }) => role === "wait" && proof.kind === "key");
  if (keys.length === 0) return undefined;
  const timed = keys.every(({ replay }) => replay !== "off");
  return { least: KEY_PAYLOAD + 1, most: LONGEST_KEY_PAYLOAD, timed };
}

/** Bytes of what wire/reply.ts can make something of. */
export function replies({ peers }: Pick<TunnelConfig, "peers">): number[] {
  const lengths = new Set<number>();
  for (const { role, proof, identity } of peers) {
    if (role !== "dial" || identity.kind === "none" || identity.kind === "heartbeat") continue;
    const signed = proof.kind === "key" || identity.kind === "key";
    lengths.add(signed ? KEY_PAYLOAD : identity.token.length);
  }
  return [...lengths].sort((a, b) => a - b);
}

function authentication({ proof, replay }: PeerConfig): AuthenticationLength {
  switch (proof.kind) {
    case "key":
      return { payload: KEY_PAYLOAD, timed: replay !== "off" };
    case "token":
      return { payload: proof.token.length, timed: false };
    case "none":
    case "heartbeat":
      return { payload: 0, timed: false };
  }
}
