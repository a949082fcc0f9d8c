/** A dialler for every peer that has an endpoint and is not waited for. */
import { lookAtLinks } from "../apply/look.ts";
import type { Sockets } from "../apply/sockets.ts";
import { markOf } from "../plan/full-tunnel.ts";
import { Dialler } from "../tunnel/dialler.ts";
import type { EventSink } from "../tunnel/events.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import { resolveEndpoint } from "../tunnel/resolver.ts";
import { TrafficReader } from "../tunnel/traffic.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";
import type { Writer } from "../tunnel/writer.ts";
import type { Signatures } from "../wire/signatures.ts";
import { RawSenders } from "./raw-senders.ts";
import type { Surroundings } from "./surroundings.ts";

export interface DiallersOptions {
  readonly peers: Peers;
  readonly tunnels: Tunnels;
  readonly writer: Writer;
  readonly signatures: Signatures;
  readonly sockets: Sockets;
  readonly surroundings: Surroundings;
  readonly emit: EventSink;
}

export class Diallers {
  readonly #byPeer = new Map<Peer, Dialler>();
  readonly #senders = new RawSenders();

  /** Opens the raw sockets at once, so that a missing privilege shows at the start. */
  constructor(options: DiallersOptions) {
    const traffic = new TrafficReader(() => lookAtLinks(options.sockets));
    for (const peer of options.peers.all()) {
      const { role, endpoint } = peer.config;
      if (role === "wait" || endpoint === undefined) continue;
      if (role === "dial") this.#senders.open(markOf(peer.tunnel));
      this.#byPeer.set(peer, this.#dialler(peer, traffic, options));
    }
  }

  /** Those of `peers` that are dialled authenticate now; gives how many. */
  now(peers: Iterable<Peer>): number {
    let reached = 0;
    for (const peer of peers) {
      const dialler = this.#byPeer.get(peer);
      dialler?.now();
      if (dialler !== undefined) reached++;
    }
    return reached;
  }

  of(peer: Peer): Dialler | undefined {
    return this.#byPeer.get(peer);
  }

  close(): void {
    for (const dialler of this.#byPeer.values()) dialler.close();
    this.#senders.close();
  }

  #dialler(peer: Peer, traffic: TrafficReader, options: DiallersOptions): Dialler {
    const { tunnels, signatures, emit, writer, surroundings } = options;
    return new Dialler({
      peer,
      tunnels,
      signatures,
      emit,
      source: () => {
        const { local, port } = surroundings.underlay(peer.tunnel);
        return local === undefined ? undefined : { address: local, port };
      },
      resolve: resolveEndpoint,
      send: (packet) => this.#senders.send(packet, markOf(peer.tunnel)),
      traffic: () => traffic.of(peer.tunnel.interface),
      settled: () => writer.settled(),
    });
  }
}
