/** A monitor for every dialled peer that has one in its configuration. */
import { openEchoSocket } from "../kernel/rawsocket.ts";
import { Monitor } from "../tunnel/monitor.ts";
import type { Peer } from "../tunnel/peers.ts";
import type { Diallers } from "./diallers.ts";

/** Gives a function that ends them. */
export function startMonitors(peers: Iterable<Peer>, diallers: Diallers): () => void {
  const monitors: Monitor[] = [];
  for (const peer of peers) {
    const { monitor: rule } = peer.config;
    if (rule === undefined) continue;
    monitors.push(
      new Monitor({
        rule,
        open: (onPacket) => openEchoSocket(peer.tunnel.interface, onPacket),
        onAlive: () => diallers.of(peer)?.heard(),
        onFailure: (reason) => diallers.of(peer)?.suspect(reason),
      }),
    );
  }
  return () => {
    for (const monitor of monitors) monitor.close();
  };
}
