/** The queue and who is waited for behind it. */
import {
  type Configuration,
  isAwaited,
  mayHaveKeys,
  type PeerConfig,
  type TunnelConfig,
} from "../config/model.ts";
import { openQueue, type PacketQueue } from "../kernel/nfqueue.ts";
import type { Addon, QueueCounters } from "../native/addon.ts";
import { type Endpoint, formatEndpoint } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { Door, type Floor, type Keep } from "../tunnel/door.ts";
import type { EventSink } from "../tunnel/events.ts";
import { HeartbeatDoor } from "../tunnel/heartbeats.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import { Replier } from "../tunnel/replier.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";
import { type Doors, type Place, Waiting } from "../tunnel/waiting.ts";
import type { Writer } from "../tunnel/writer.ts";
import { heartbeatPatterns, patternsFor, replyPatternsFor } from "../wire/patterns.ts";
import { replyLength } from "../wire/reply.ts";
import type { Signatures } from "../wire/signatures.ts";
import type { Diallers } from "./diallers.ts";
import { RawSenders } from "./raw-senders.ts";
import type { Surroundings } from "./surroundings.ts";

export interface ReceptionOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  readonly signatures: Signatures;
  readonly surroundings: Surroundings;
  readonly peers: Peers;
  readonly tunnels: Tunnels;
  readonly keep: Keep;
  readonly writer: Writer;
  readonly diallers: Diallers;
  readonly floor: Floor;
  readonly emit: EventSink;
  readonly onError: (error: Error) => void;
}

export interface Reception {
  readonly accepted: number;
  readonly refused: number;
  counters(): QueueCounters;
  /** Our outer addresses have changed. */
  moved(): void;
  /** There are other peers now. */
  exchanged(): void;
  close(): void;
}

/** Without proofs it would be a directory of nobody. */
const needsKeys = (tunnel: TunnelConfig): boolean =>
  mayHaveKeys(tunnel) && tunnel.directory?.limits?.unproven === false;

/** Whoever comes later: what proves it looks like this, and so does an answer. */
const anyKey = { proof: { kind: "key", publicKey: new Uint8Array() }, replay: "strict" } as const;

/** May answer us. */
const isAsked = (peer: PeerConfig): boolean =>
  peer.role === "dial" && replyLength(peer) !== undefined;

/**
 * undefined where nobody is waited for, and nobody dialled who could answer. Throws a {@link Failure} where
 * the queue is somebody else's; only to hear answers, it is gone without, as ipipou 0.1 always does.
 */
export function openReception(options: ReceptionOptions): Reception | undefined {
  const { configuration, surroundings, peers, tunnels, diallers, emit, onError } = options;
  const listening = configuration.tunnels.filter(
    (tunnel) =>
      mayHaveKeys(tunnel) || tunnel.peers.some((peer) => isAwaited(peer) || isAsked(peer)),
  );
  if (listening.length === 0) return undefined;
  const isNeeded = listening.some((tunnel) => needsKeys(tunnel) || tunnel.peers.some(isAwaited));
  const queue = isNeeded ? open(options, listening) : openIfFree(options, listening);
  if (queue === undefined) return undefined;
  const senders = openSenders(configuration, surroundings, () => queue.close());
  const byName = new Map(listening.map((tunnel) => [tunnel.name, tunnel]));
  const standingAt = (name: string, endpoint: Endpoint): readonly Peer[] => {
    const tunnel = byName.get(name);
    if (tunnel === undefined) return [];
    return peers
      .at(surroundings.deviceLocalOf(tunnel), endpoint)
      .filter((peer) => peer.tunnel.name === tunnel.name);
  };
  const waiter = new Waiting({
    doors: () => doorsOf(options, listening),
    tunnels,
    emit,
    dialledAt: (tunnel, endpoint) => {
      const peer = standingAt(tunnel, endpoint).find(({ config }) => config.role === "dial");
      return peer && diallers.of(peer);
    },
    replier: new Replier({
      signatures: options.signatures,
      emit,
      settled: () => options.writer.settled(),
      nextHop: (peer, to) => surroundings.nextHop(peer, to),
      send: (packet, peer) => senders.send(packet, surroundings.wayOf(peer.tunnel)),
    }),
  });
  queue.start((packet) => waiter.receive(packet), onError);
  return {
    get accepted() {
      return waiter.accepted;
    },
    get refused() {
      return waiter.refused;
    },
    counters: () => queue.counters(),
    moved: () => waiter.moved(),
    exchanged: () => waiter.moved(),
    close: () => {
      queue.close();
      senders.close();
    },
  };

  function doorsOf(
    { signatures, keep, floor }: ReceptionOptions,
    all: readonly TunnelConfig[],
  ): Doors {
    const heartbeats = new Map<string, { port: number; tunnel: string; waited: Peer[] }>();
    const byTunnel = new Map<string, Peer[]>(all.map(({ name }) => [name, []]));
    for (const peer of peers.all()) {
      const { proof } = peer.config;
      if (!isAwaited(peer.config)) continue;
      if (proof.kind !== "heartbeat") byTunnel.get(peer.tunnel.name)?.push(peer);
      else {
        const { port } = proof;
        const at = formatEndpoint({ address: surroundings.localOf(peer.tunnel), port });
        const door = heartbeats.get(at) ?? { port, tunnel: peer.tunnel.name, waited: [] };
        door.waited.push(peer);
        heartbeats.set(at, door);
      }
    }
    return new Map<string, Place>([
      ...[...heartbeats].map(
        ([at, { port, tunnel, waited }]) =>
          [at, { tunnel, door: new HeartbeatDoor(port, waited) }] as const,
      ),
      ...all.map((tunnel) => {
        const waited = byTunnel.get(tunnel.name) ?? [];
        const at = {
          address: surroundings.localOf(tunnel),
          port: surroundings.underlay(tunnel).port,
        };
        const door = waited.length === 0 ? undefined : new Door(waited, signatures, keep, floor);
        return [formatEndpoint(at), { tunnel: tunnel.name, door }] as const;
      }),
    ]);
  }
}

/** At once, so that a missing privilege shows at the start. */
function openSenders(
  { tunnels }: Configuration,
  surroundings: Surroundings,
  onFailure: () => void,
): RawSenders {
  const senders = new RawSenders();
  try {
    for (const tunnel of tunnels) {
      if (mayHaveKeys(tunnel) || tunnel.peers.some(({ replyOnAuth }) => replyOnAuth))
        senders.open({ mark: surroundings.markOf(tunnel) });
    }
  } catch (error) {
    senders.close();
    onFailure();
    throw error;
  }
  return senders;
}

function openIfFree(
  options: ReceptionOptions,
  listening: readonly TunnelConfig[],
): PacketQueue | undefined {
  try {
    return open(options, listening);
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode !== exitCode.conflict) throw error;
    const reason = `${error.what}, so answers are not heard: ${error.mend}`;
    options.emit({ event: "failed", tunnel: null, peer: null, endpoint: null, reason });
    return undefined;
  }
}

function open(
  { addon, configuration, surroundings }: ReceptionOptions,
  listening: readonly TunnelConfig[],
): PacketQueue {
  const { number, maxLength } = configuration.queue;
  const patterns = listening.flatMap((tunnel) => {
    const { port } = surroundings.underlay(tunnel);
    return [
      ...patternsFor(port, tunnel.peers.filter(isAwaited)),
      ...replyPatternsFor(port, tunnel.peers.filter(isAsked)),
      ...heartbeatPatterns(tunnel.peers.filter(isAwaited)),
      ...(mayHaveKeys(tunnel) ? patternsFor(port, [anyKey]) : []),
    ];
  });
  try {
    return openQueue(addon, { number, maxLength, patterns });
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "EINVAL" || code === "EOPNOTSUPP") {
      // nfnetlink's answer for a subsystem that nobody has registered.
      const what = "the kernel has no nfnetlink_queue";
      throw new Failure(exitCode.kernel, what, "`modprobe nfnetlink_queue`", { cause: error });
    }
    if (code !== "EPERM") throw error;
    const mend = "set `queue: { number: … }` to another one";
    throw new Failure(exitCode.conflict, `queue ${number} is held by another program`, mend, {
      cause: error,
    });
  }
}
