/** What a started instance does because the world around it changes: devices, addresses, routes, the time. */
import type { Configuration, TunnelConfig } from "../config/model.ts";
import { readCounters } from "../kernel/counters.ts";
import type { Addon } from "../native/addon.ts";
import type { Link } from "../net/objects.ts";
import { epochs } from "../plan/gate-of.ts";
import { outsideDevices } from "../plan/mobility.ts";
import type { Peers } from "../tunnel/peers.ts";
import type { Writer } from "../tunnel/writer.ts";
import type { Diallers } from "./diallers.ts";
import type { NewWays } from "./host-news.ts";
import { startPulse } from "./pulse.ts";
import type { Reception } from "./reception.ts";
import type { Surroundings } from "./surroundings.ts";
import { watchHost } from "./watch.ts";

export interface WorldOptions {
  readonly configuration: Configuration;
  readonly addon: Addon;
  /** As they were at the first look. */
  readonly links: readonly Link[];
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
  const { configuration, addon, links, peers, writer, diallers, onError } = options;
  const interfaces = new Set(configuration.tunnels.map((tunnel) => tunnel.interface));
  // One look at a time: of two that overlap the older might come last.
  let following = Promise.resolve();
  const stopWatching = watchHost({
    ...{ addon, interfaces, links },
    listener: {
      onTunnelChanged: (device, how) => writer.reconcile(`${device} ${how}`),
      onHostChanged: (ways) => {
        following = following.then(() => follow(options, ways)).catch(onError);
      },
      onLoss: () => writer.reconcile("events of the kernel were lost"),
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
    stopPulse();
    clearInterval(epochTimer);
  };
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
  let skew = 0;
  for (const { config } of peers.all()) skew = Math.max(skew, config.maxClockSkew);
  const current = () => epochs(Date.now() / 1000, skew / 1000).join();
  let last = current();
  return () => {
    const now = current();
    if (now !== last) writer.reconcile(undefined);
    last = now;
  };
}
