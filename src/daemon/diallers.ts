/** A dialler for every peer that has an endpoint and is not waited for. */
import { type Configuration, isOpenNode, mayHaveKeys } from "../config/model.ts";
import type { PacketCounters } from "../kernel/counters.ts";
import type { IpAddress } from "../net/address.ts";
import { Dialler } from "../tunnel/dialler.ts";
import type { EventSink } from "../tunnel/events.ts";
import type { Peer, Peers } from "../tunnel/peers.ts";
import { resolveEndpoint } from "../tunnel/resolver.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";
import { Turnstile } from "../tunnel/turnstile.ts";
import type { Writer } from "../tunnel/writer.ts";
import type { Signatures } from "../wire/signatures.ts";
import { RawSenders } from "./raw-senders.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Names that are asked for at a time. getaddrinfo(3) takes one of libuv's four threads for as long as a
 * resolver keeps silent, and files are written by the same four.
 */
const LOOKUPS = 2;

export interface DiallersOptions {
  readonly configuration: Configuration;
  readonly peers: Peers;
  readonly tunnels: Tunnels;
  readonly writer: Writer;
  readonly signatures: Signatures;
  readonly surroundings: Surroundings;
  readonly emit: EventSink;
}

export class Diallers {
  readonly #byPeer = new Map<Peer, Dialler>();
  readonly #senders = new RawSenders();
  readonly #lookups = new Turnstile(LOOKUPS);

  readonly #options: DiallersOptions;

  /** Opens the raw sockets at once, so that a missing privilege shows at the start. */
  constructor(options: DiallersOptions) {
    this.#options = options;
    const { configuration, peers, surroundings } = options;
    for (const tunnel of configuration.tunnels.filter(mayHaveKeys)) {
      this.#senders.open({ mark: surroundings.markOf(tunnel) });
    }
    for (const peer of peers.all()) this.#begin(peer);
  }

  /** There are other peers now: whoever has come is dialled at once. */
  exchange(peers: Peers): void {
    const all = new Set(peers.all());
    for (const [peer, dialler] of this.#byPeer) {
      if (all.has(peer)) continue;
      dialler.close();
      this.#byPeer.delete(peer);
    }
    this.now([...all].filter((peer) => !this.#byPeer.has(peer) && this.#begin(peer)));
  }

  /** false: it is not dialled. */
  #begin(peer: Peer): boolean {
    const { role, endpoint } = peer.config;
    if (role === "wait" || endpoint === undefined || isOpenNode(peer.config)) return false;
    const { surroundings } = this.#options;
    if (role === "dial") this.#senders.open({ mark: surroundings.markOf(peer.tunnel) });
    this.#byPeer.set(peer, this.#dialler(peer, this.#options));
    return true;
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

  /** Their way may be another one now: they authenticate soon, at once if it is not the third time. */
  nudge(peers: Iterable<Peer>): void {
    for (const peer of peers) this.#byPeer.get(peer)?.nudge();
  }

  /** Whether there is anybody whose traffic tells something. */
  get listen(): boolean {
    return this.#byPeer.size > 0;
  }

  /** What has passed every device so far. */
  look(counters: ReadonlyMap<string, PacketCounters>): void {
    for (const [peer, dialler] of this.#byPeer) {
      const traffic = counters.get(peer.tunnel.interface);
      if (traffic !== undefined) dialler.look(traffic);
    }
  }

  of(peer: Peer): Dialler | undefined {
    return this.#byPeer.get(peer);
  }

  /** An IPv4 address of this name, in turn with the names of those that are dialled. */
  async resolve(host: string): Promise<IpAddress> {
    const { address } = await this.#lookups.pass(() => resolveEndpoint(host, 0));
    return address;
  }

  close(): void {
    for (const dialler of this.#byPeer.values()) dialler.close();
    this.#senders.close();
  }

  #dialler(peer: Peer, options: DiallersOptions): Dialler {
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
      nextHop: (to) => surroundings.nextHop(peer, to),
      resolve: (...question) => this.#lookups.pass(() => resolveEndpoint(...question)),
      send: (packet) => this.#senders.send(packet, surroundings.wayOf(peer.tunnel)),
      settled: () => writer.settled(),
      clock: () => performance.now(),
    });
  }
}
