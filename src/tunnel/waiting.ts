/**
 * From packets that the queue hands over to proofs: which door, which peer, and a word where it is none.
 * What comes from a peer that we dial is first of all its answer.
 */
import { type Endpoint, formatEndpoint } from "../net/address.ts";
import { type Datagram, parseDatagram } from "../wire/datagram.ts";
import type { Allowance, Door } from "./door.ts";
import type { EventSink } from "./events.ts";
import type { Peer } from "./peers.ts";
import type { Replier } from "./replier.ts";
import type { Tunnels } from "./tunnels.ts";
import { Verifiers } from "./verifiers.ts";

export interface WaitingOptions {
  /** By `ADDRESS:PORT` of our side; asked again after {@link Waiting.moved}. */
  readonly doors: () => Doors;
  readonly tunnels: Tunnels;
  readonly emit: EventSink;
  /** Which of its peers is dialled there, and hears its answers. */
  readonly dialledAt: (tunnel: string, endpoint: Endpoint) => Listener | undefined;
  readonly replier: Pick<Replier, "answer">;
  /** Milliseconds of CPU that the process has used. */
  readonly cpu?: () => number;
}

export interface Listener {
  readonly peer: Peer;
  /** undefined: it is an answer, and counts; else why it is none. */
  hear(payload: Uint8Array, now: number, allowance: Allowance): string | undefined;
}

export interface Place {
  readonly tunnel: string;
  /** undefined: nobody is waited for. */
  readonly door: Pick<Door, "judge"> | undefined;
}

export type Doors = ReadonlyMap<string, Place>;

export class Waiting {
  readonly #options: WaitingOptions;
  #doors: Doors;
  #accepted = 0;
  #refused = 0;
  readonly #verifiers: Verifiers;

  constructor(options: WaitingOptions, now = Date.now()) {
    this.#options = options;
    this.#doors = options.doors();
    this.#verifiers = new Verifiers(now, options.cpu);
  }

  /** Proofs taken. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Packets that proved nothing. */
  get refused(): number {
    return this.#refused;
  }

  /** Our own outer addresses have changed. */
  moved(): void {
    this.#doors = this.#options.doors();
  }

  /** One packet from its IP header on. */
  receive(packet: Uint8Array, now = Date.now()): void {
    const datagram = parseDatagram(packet);
    if (datagram === undefined) return;
    const { source, destination, payload } = datagram;
    const at = this.#doors.get(formatEndpoint(destination));
    if (at === undefined) return;
    const allowance = this.#verifiers.allowanceFor(source, now);
    const dialled = this.#options.dialledAt(at.tunnel, source);
    const noAnswer = dialled?.hear(payload, now, allowance);
    if (dialled !== undefined && noAnswer === undefined) {
      this.#accepted++;
      return;
    }
    const answer = at.door?.judge(payload, source, now, allowance);
    if (answer?.kind === "proven") {
      this.#admit(answer.peer, answer.endpoint ?? source, datagram, now);
    } else if (dialled !== undefined && noAnswer !== undefined) {
      this.#refuse(at.tunnel, dialled.peer, source, noAnswer);
    } else {
      const reason = answer?.reason ?? "it comes from no peer that is dialled";
      this.#refuse(at.tunnel, answer?.peer, source, reason);
    }
  }

  #admit(
    peer: Peer,
    endpoint: Endpoint,
    { source, destination, payload }: Datagram,
    now: number,
  ): void {
    this.#options.tunnels.proven(peer, endpoint, now);
    this.#accepted++;
    void this.#options.replier.answer(peer, payload, destination, source);
  }

  #refuse(tunnel: string, peer: Peer | undefined, source: Endpoint, reason: string): void {
    this.#refused++;
    const endpoint = formatEndpoint(source);
    const name = peer?.config.name ?? null;
    this.#options.emit({ event: "refused", tunnel, peer: name, endpoint, reason });
  }
}
