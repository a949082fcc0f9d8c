/** The queue and who is waited for behind it. */
import { type Configuration, isAwaited, type TunnelConfig } from "../config/model.ts";
import { openQueue } from "../kernel/nfqueue.ts";
import type { Addon, QueueCounters } from "../native/addon.ts";
import { formatEndpoint } from "../net/address.ts";
import { exitCode, Failure } from "../net/failure.ts";
import { Door, type Keep } from "../tunnel/door.ts";
import type { EventSink } from "../tunnel/events.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";
import { type Doors, Waiting } from "../tunnel/waiting.ts";
import { patternsFor } from "../wire/patterns.ts";
import type { Signatures } from "../wire/signatures.ts";
import type { Surroundings } from "./surroundings.ts";

export interface ReceptionOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  readonly signatures: Signatures;
  readonly surroundings: Surroundings;
  readonly peers: Peers;
  readonly tunnels: Tunnels;
  readonly keep: Keep;
  readonly emit: EventSink;
  readonly onError: (error: Error) => void;
}

export interface Reception {
  readonly accepted: number;
  readonly refused: number;
  counters(): QueueCounters;
  /** Our outer addresses have changed. */
  moved(): void;
  close(): void;
}

/** undefined where nobody is waited for. Throws a {@link Failure} where the queue is somebody else's. */
export function openReception(options: ReceptionOptions): Reception | undefined {
  const { configuration, surroundings, peers, tunnels, emit, onError } = options;
  const waiting = configuration.tunnels.filter((tunnel) => tunnel.peers.some(isAwaited));
  if (waiting.length === 0) return undefined;
  const queue = open(options, waiting);
  const waiter = new Waiting({
    doors: () => doorsOf(options, waiting),
    tunnels,
    emit,
    isKnown: (local, { address, port }) => peers.holder(local, address)?.wanted?.port === port,
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
    close: () => queue.close(),
  };

  function doorsOf({ signatures, keep }: ReceptionOptions, all: readonly TunnelConfig[]): Doors {
    const byTunnel = new Map<TunnelConfig, Peer[]>(all.map((tunnel) => [tunnel, []]));
    for (const peer of peers.all())
      if (isAwaited(peer.config)) byTunnel.get(peer.tunnel)?.push(peer);
    return new Map(
      [...byTunnel].map(([tunnel, waited]) => {
        const at = {
          address: surroundings.localOf(tunnel),
          port: surroundings.underlay(tunnel).port,
        };
        return [
          formatEndpoint(at),
          { tunnel: tunnel.name, door: new Door(waited, signatures, keep) },
        ];
      }),
    );
  }
}

function open(
  { addon, configuration, surroundings }: ReceptionOptions,
  waiting: readonly TunnelConfig[],
) {
  const { number, maxLength } = configuration.queue;
  const patterns = waiting.flatMap((tunnel) =>
    patternsFor(surroundings.underlay(tunnel).port, tunnel.peers.filter(isAwaited)),
  );
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
