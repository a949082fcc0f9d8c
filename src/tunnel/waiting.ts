/** From packets that the queue hands over to proofs: which door, which peer, and a word where it is none. */
import { type Endpoint, formatEndpoint, type IpAddress } from "../net/address.ts";
import { parseDatagram } from "../wire/datagram.ts";
import { Budget } from "./budget.ts";
import type { Allowance, Door } from "./door.ts";
import type { EventSink } from "./events.ts";
import type { Tunnels } from "./tunnels.ts";

/** Verifications a second, for those whose address some peer has, and for everyone else. */
const FOR_KNOWN = 1000;
const FOR_STRANGERS = 1000;
const FOR_EXPLAINING = 2;

export interface WaitingOptions {
  /** By `ADDRESS:PORT` of our side; asked again after {@link Waiting.moved}. */
  readonly doors: () => Doors;
  readonly tunnels: Tunnels;
  readonly emit: EventSink;
  /** Whether a peer stands at this endpoint now. */
  readonly isKnown: (local: IpAddress, endpoint: Endpoint) => boolean;
}

export type Doors = ReadonlyMap<string, { readonly tunnel: string; readonly door: Door }>;

export class Waiting {
  readonly #options: WaitingOptions;
  #doors: Doors;
  #accepted = 0;
  #refused = 0;
  readonly #known: Budget;
  readonly #strangers: Budget;
  readonly #explaining: Budget;

  constructor(options: WaitingOptions, now = Date.now()) {
    this.#options = options;
    this.#doors = options.doors();
    this.#known = new Budget(FOR_KNOWN, FOR_KNOWN, now);
    this.#strangers = new Budget(FOR_STRANGERS, FOR_STRANGERS, now);
    this.#explaining = new Budget(FOR_EXPLAINING, FOR_EXPLAINING, now);
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
    const budget = this.#options.isKnown(destination.address, source)
      ? this.#known
      : this.#strangers;
    const allowance: Allowance = {
      verification: () => budget.spend(now),
      explanation: () => this.#explaining.spend(now),
    };
    const answer = at.door.judge(payload, source, now, allowance);
    if (answer.kind === "proven") {
      if (this.#options.tunnels.proven(answer.peer, source, now)) this.#accepted++;
      else this.#refused++;
      return;
    }
    this.#refused++;
    this.#options.emit({
      event: "refused",
      tunnel: at.tunnel,
      peer: answer.peer?.config.name ?? null,
      endpoint: formatEndpoint(source),
      reason: answer.reason,
    });
  }
}
