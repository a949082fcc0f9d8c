/** What a started instance does because the world around it changes: devices, addresses, routes, the time. */
import type { Sockets } from "../apply/sockets.ts";
import type { Configuration, TunnelConfig } from "../config/model.ts";
import { readCounters } from "../kernel/counters.ts";
import { dumpLinks } from "../kernel/link.ts";
import type { Addon } from "../native/addon.ts";
import { formatPrefix } from "../net/address.ts";
import type { Link } from "../net/objects.ts";
import { epochs } from "../plan/gate-of.ts";
import { outsideDevices } from "../plan/mobility.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Writer } from "../tunnel/writer.ts";
import type { Diallers } from "./diallers.ts";
import type { NewWays } from "./host-news.ts";
import { startPatrol } from "./patrol.ts";
import { startPulse } from "./pulse.ts";
import type { Reception } from "./reception.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Tampering } from "./tampering.ts";
import { watchHost } from "./watch.ts";

export interface WorldOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  readonly sockets: Sockets;
  /** As they were at the first look. */
  readonly links: readonly Link[];
  readonly tampering: Tampering;
  readonly surroundings: Surroundings;
  readonly peers: Peers;
  readonly writer: Writer;
  readonly diallers: Diallers;
  readonly reception: Reception | undefined;
  readonly onError: (error: unknown) => void;
}

/** How often it is looked whether the clock has moved on to another value of the time's upper bits. */
const EPOCH_INTERVAL = 10_000;

/** Gives a function that ends it. */
export function followWorld(options: WorldOptions): () => void {
  const { configuration, addon, links, peers, sockets, tampering, writer, diallers, onError } =
    options;
  // One look at a time: of two that overlap the older might come last.
  let following = Promise.resolve();
  const stopWatching = watchHost({
    ...{ addon, tampering, links },
    listener: {
      onTampered: (what) => writer.repair(what),
      onHostChanged: (ways) => {
        following = following.then(() => follow(options, ways)).catch(onError);
      },
      onLoss: () => writer.repair("events of the kernel were lost"),
    },
  });
  // What comes from now on is compared with what stands there.
  sockets.route
    .dump(dumpLinks())
    .then((messages) => tampering.learn(messages))
    .catch(onError);
  const stopPatrol = startPatrol({
    ...{ sockets, configuration, peers, writer, onError },
    onChange: (what) => writer.repair(what),
    onBeat: () => {
      const what = displaced(peers, tampering.drainReplaced());
      if (what !== undefined) writer.repair(what);
    },
  });
  const watchEpochs = epochWatcher(peers, writer);
  // What is answered from now on is an answer.
  listen(options);
  const stopPulse = startPulse({
    onBeat: () => listen(options),
    onJump: () => {
      watchEpochs();
      diallers.nudge(peers.all());
    },
  });
  const epochTimer = setInterval(watchEpochs, EPOCH_INTERVAL);
  epochTimer.unref();
  return () => {
    stopWatching();
    stopPatrol();
    stopPulse();
    clearInterval(epochTimer);
  };
}

/** Of routes that others have put into the place of one: whether it may have been ours, in words. */
function displaced(peers: Peers, replaced: ReadonlyMap<string, string>): string | undefined {
  if (replaced.size === 0) return undefined;
  for (const { tunnel, config } of peers.all()) {
    const prefixes = [...(config.allowedIPs ?? []), ...tunnel.routes.map(({ to }) => to)];
    for (const prefix of prefixes) {
      const what = replaced.get(formatPrefix(prefix));
      if (what !== undefined) return what;
    }
  }
  return undefined;
}

/** What has passed our devices tells whether the peers that we dial still hear us. */
function listen({ diallers, onError }: WorldOptions): void {
  if (!diallers.listen) return;
  try {
    diallers.look(readCounters());
  } catch (error) {
    onError(error);
  }
}

/** Addresses, devices or default routes outside have changed. */
async function follow(options: WorldOptions, ways: NewWays): Promise<void> {
  const { configuration, surroundings, peers, writer, diallers, reception } = options;
  const { tunnels, rerouted, foreign } = await surroundings.follow(ways);
  // The kernel takes routes and proxies with a device that goes down, and what waits for one can be there.
  const awaited = ways.devices.size > 0 && configuration.tunnels.some(standsOutside);
  if (tunnels.length > 0 || foreign || awaited) {
    peers.rehome((peer) => surroundings.deviceLocalOf(peer.tunnel), surroundings.foreign);
    reception?.moved();
    writer.reconcile(undefined);
    await writer.settled();
  }
  const concerned = new Set(rerouted);
  diallers.nudge([...peers.all()].filter(({ tunnel }) => concerned.has(tunnel)));
}

function standsOutside(tunnel: TunnelConfig): boolean {
  return outsideDevices(tunnel).size > 0;
}

/** The gate knows which upper bits a fresh time can have: they change every 18 hours, or with the clock. */
function epochWatcher(peers: Peers, writer: Writer): () => void {
  const current = () => {
    let skew = 0;
    for (const { config } of peers.all()) skew = Math.max(skew, config.maxClockSkew);
    return epochs(Date.now() / 1000, skew / 1000).join();
  };
  let last = current();
  return () => {
    const now = current();
    if (now !== last) writer.reconcile(undefined);
    last = now;
  };
}
