/**
 * Answers to authentications that were taken, for peers with `replyOnAuth`. Nobody else ever gets one, and
 * none is longer than what asked for it. Two hosts that wait for each other and answer could go on for ever;
 * the gate's rate for known endpoints bounds what that costs.
 */
import { randomBytes } from "node:crypto";
import { type Endpoint, formatEndpoint, sameEndpoint } from "../net/address.ts";
import { buildDatagram } from "../wire/datagram.ts";
import { buildReply } from "../wire/reply.ts";
import type { Signatures } from "../wire/signatures.ts";
import type { EventSink } from "./events.ts";
import type { Peer } from "./peers.ts";

export interface ReplierOptions {
  readonly signatures: Signatures;
  readonly emit: EventSink;
  /** Resolves when what was decided stands in the kernel. */
  readonly settled: () => Promise<void>;
  /** What our packets to it are addressed to: for a translated peer of a hub its id. */
  readonly nextHop: (peer: Peer, to: Endpoint) => Endpoint;
  /** Sends a whole IPv4 packet with the mark of the peer's tunnel. */
  readonly send: (packet: Buffer, peer: Peer) => Promise<void>;
}

export class Replier {
  readonly #options: ReplierOptions;
  readonly #complaints = new Map<Peer, string>();

  constructor(options: ReplierOptions) {
    this.#options = options;
  }

  /** @param from Our endpoint, where the request came to. */
  async answer(peer: Peer, request: Uint8Array, from: Endpoint, to: Endpoint): Promise<void> {
    if (!peer.config.replyOnAuth) return;
    const { signatures, settled, nextHop, send } = this.#options;
    try {
      // The answer says that the tunnel stands; and a hub's port map lets nothing out before.
      await settled();
      if (!sameEndpoint(peer.applied, to)) return;
      const payload = buildReply(request, peer.config, Date.now(), randomBytes(4), signatures);
      const datagram = { source: from, destination: nextHop(peer, to), payload };
      await send(buildDatagram(datagram, peer.config.authTtl), peer);
      this.#complaints.delete(peer);
    } catch (error) {
      this.#complain(peer, to, error instanceof Error ? error.message : String(error));
    }
  }

  /** Once, until an answer can be sent again. */
  #complain(peer: Peer, to: Endpoint, why: string): void {
    const reason = `its authentication can't be answered: ${why}`;
    if (this.#complaints.get(peer) === reason) return;
    this.#complaints.set(peer, reason);
    const endpoint = formatEndpoint(to);
    const of = { tunnel: peer.tunnel.name, peer: peer.config.name };
    this.#options.emit({ event: "failed", ...of, endpoint, reason });
  }
}
