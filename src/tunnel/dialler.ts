/**
 * A dialled peer over time: find its address, prove ourselves, do it again before NATs on the way forget
 * us, and sooner where nothing comes back.
 */
import { randomBytes } from "node:crypto";
import { type Endpoint, formatEndpoint, sameEndpoint } from "../net/address.ts";
import { formOfTunnel } from "../plan/form.ts";
import { buildDatagram } from "../wire/datagram.ts";
import { buildProof } from "../wire/proof.ts";
import { judgeReply } from "../wire/reply.ts";
import type { Signatures } from "../wire/signatures.ts";
import { nextPause } from "./backoff.ts";
import { Budget } from "./budget.ts";
import { proofTime } from "./clock.ts";
import type { Allowance } from "./door.ts";
import type { EventName, EventSink } from "./events.ts";
import type { Peer } from "./peers.ts";
import type { Current } from "./resolver.ts";
import { type Listening, listen, type Traffic } from "./traffic.ts";
import type { Tunnels } from "./tunnels.ts";

/** Unanswered authentications until the first word about it, and until another address is tried. */
const PATIENCE = 4;

/**
 * So many authentications in a row that were answered tell a peer that answers each one; ipipou 0.1 answers
 * those alone that come from somewhere new.
 */
const STEADY = 3;

/** Authentications whose answers are still understood. */
const REMEMBERED = 2;

/** Authentications because something outside has changed: at once, and a second. */
const NUDGES = { most: 3, perSecond: 1 };

export interface DiallerOptions {
  readonly peer: Peer;
  readonly tunnels: Tunnels;
  readonly signatures: Signatures;
  readonly emit: EventSink;
  /** Where our outer packets come from; undefined while the device has no address. */
  readonly source: () => Endpoint | undefined;
  /** What our packets to it are addressed to: for a translated peer of a hub its id. */
  readonly nextHop: (to: Endpoint) => Endpoint;
  readonly resolve: (host: string, port: number, current?: Current) => Promise<Endpoint>;
  /** Sends a whole IPv4 packet with the tunnel's mark. */
  readonly send: (packet: Buffer, to: Endpoint) => Promise<void>;
  /** Resolves when what was decided stands in the kernel. */
  readonly settled: () => Promise<void>;
  /** Milliseconds of a clock that never jumps, as timers go by. */
  readonly clock: () => number;
}

export class Dialler {
  readonly #options: DiallerOptions;
  readonly #nudges: Budget;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** When each is due, by the clock; undefined: not by time alone. */
  #proveAt: number | undefined;
  #resolveAt: number | undefined;
  /** At most one of each at a time; a wish that comes meanwhile stands in the time that it is due. */
  #proving = false;
  #resolving = false;
  #unanswered = 0;
  /** Look-ups of the name in a row that gave no endpoint. */
  #unresolved = 0;
  /** It has answered and seems not to any more. */
  #suspected = false;
  #listening: Listening | undefined;
  /** Packets that had been sent when something last came back. */
  #sentAtNews = 0;
  #provedAt: number | undefined;
  /** What the name gave last. */
  #found: Endpoint | undefined;
  /** Payloads of the last authentications, the newest first: what an unsigned answer has in reverse. */
  #proofs: readonly Uint8Array[] = [];
  /** Authentications since the last answer, and answers to one each before that. */
  #unreplied = 0;
  #replies = 0;
  /** Milliseconds since 1970. */
  #lastProof: number | undefined;
  #complaint: string | undefined;

  constructor(options: DiallerOptions) {
    this.#options = options;
    const now = options.clock();
    this.#nudges = new Budget(NUDGES.perSecond, NUDGES.most, now);
    this.#resolveAt = now;
  }

  /** Authenticates now: the start, SIGUSR1, `reauth`. */
  now(): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    this.#proveAt = clock();
    if (this.#unanswered > 0 && this.#isFailing()) this.#resolveAt = this.#proveAt;
    this.#work();
  }

  /** Something outside has changed that may have cost us our way: soon, but not as often as that changes. */
  nudge(): void {
    const { clock } = this.#options;
    const now = clock();
    if (this.#nudges.spend(now)) {
      this.now();
      return;
    }
    this.#proveAt = earlier(this.#proveAt, now + 1000 / NUDGES.perSecond);
    this.#sleep();
  }

  /** What has passed the tunnel's device so far; asked about once a second. */
  look(traffic: Traffic): void {
    const { clock } = this.#options;
    const { heard, listening } = listen(this.#listening, traffic, clock());
    this.#listening = listening;
    if (heard === "first") this.#sentAtNews = traffic.sent;
    // Others come out of the same device, and this peer speaks for itself.
    else if (heard === "news" && !this.#speaksForItself) this.heard();
    else if (heard === "silent") this.suspect();
  }

  get #speaksForItself(): boolean {
    const { config, tunnel } = this.#options.peer;
    if (formOfTunnel(tunnel) === "direct") return false;
    return this.#replies >= STEADY || config.monitor !== undefined;
  }

  get peer(): Peer {
    return this.#options.peer;
  }

  /**
   * Something of an answer's form came from the peer's endpoint to our port. undefined: it is one, and says
   * who answered, which a device that several peers share does not; else why it is none, and nothing changes.
   */
  hear(payload: Uint8Array, now: number, allowance: Pick<Allowance, "likely">): string | undefined {
    const { peer, signatures } = this.#options;
    if (peer.config.proof.kind === "key" && !allowance.likely())
      return "more answers at once than can be verified";
    const reply = judgeReply(payload, peer.config, this.#proofs, peer.mark, now, signatures);
    if (reply.verdict === "other") return reply.reason;
    peer.mark = reply.mark;
    peer.lastAuthentication = now;
    if (this.#unreplied > 0) this.#replies++;
    this.#unreplied = 0;
    this.heard();
    return undefined;
  }

  /** Something came from this peer: it accepts us. */
  heard(): void {
    const { peer } = this.#options;
    if (this.#closed) return;
    const steady = peer.answered && !this.#suspected;
    this.#unanswered = 0;
    this.#suspected = false;
    this.#sentAtNews = this.#listening?.last.sent ?? this.#sentAtNews;
    this.#complaint = undefined;
    if (!peer.answered && peer.wanted !== undefined) {
      peer.answered = true;
      // One that is simply there has proven nothing.
      if (peer.config.role === "dial") this.#emit("authenticated", peer.wanted, null);
    }
    // It was asked often; now the keepalive will do.
    if (!steady && !this.#proving && this.#provedAt !== undefined) {
      this.#proveAt = after(this.#provedAt, this.#pause(false));
      this.#sleep();
    }
  }

  /** It should have been heard and was not: look where it is now, and authenticate. Again: once more. */
  suspect(reason?: string): void {
    const { peer, clock } = this.#options;
    if (this.#closed || peer.config.role !== "dial" || peer.wanted === undefined) return;
    if (reason !== undefined) this.#complain("unanswered", reason);
    else if (this.#isFailing()) {
      // It is asked again as it is; but not in an hour where somebody waits now.
      const start = this.#provedAt ?? clock();
      this.#proveAt = earlier(this.#proveAt, after(start, this.#pause(false)));
      this.#sleep();
      return;
    }
    if (!this.#suspected) this.#unanswered = 0;
    this.#suspected = true;
    this.#resolveAt = clock();
    this.now();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Begins what is due and sleeps until something else is. */
  #work(): void {
    if (this.#closed) return;
    const now = this.#options.clock();
    if (!this.#proving && isDue(this.#proveAt, now)) void this.#prove();
    // Not before it: a resolver may hang for minutes, and its questions may have to go through the tunnel.
    if (!this.#resolving && isDue(this.#resolveAt, now)) void this.#resolve();
    this.#sleep();
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const proveAt = this.#proving ? undefined : this.#proveAt;
    const resolveAt = this.#resolving ? undefined : this.#resolveAt;
    const next = Math.min(proveAt ?? Infinity, resolveAt ?? Infinity);
    if (next === Infinity) return;
    const wait = Math.max(0, Math.ceil(next - this.#options.clock()));
    this.#timer = setTimeout(() => this.#work(), wait);
  }

  async #resolve(): Promise<void> {
    const { peer, tunnels, settled, clock } = this.#options;
    this.#resolving = true;
    const before = peer.wanted;
    try {
      const found = await this.#lookUp();
      if (this.#closed) return;
      const stays = this.#hasMovedFrom(found);
      this.#found = found;
      if (!stays) tunnels.resolved(peer, found);
      this.#unresolved = 0;
      await settled();
    } catch (error) {
      this.#unresolved++;
      this.#complain("unresolved", error instanceof Error ? error.message : String(error));
    }
    this.#resolving = false;
    this.#resolveAt = after(clock(), this.#untilLookup());
    // A new address has to be told who we are.
    if (!sameEndpoint(before, peer.wanted)) {
      this.#suspected = false;
      this.#unanswered = 0;
      this.now();
    } else this.#work();
  }

  /** A peer that is simply there has said where: the name calls it back only when it gives another answer. */
  #hasMovedFrom(found: Endpoint): boolean {
    const { config, wanted } = this.#options.peer;
    if (config.role !== "static" || wanted === undefined) return false;
    if (this.#found !== undefined) return sameEndpoint(found, this.#found);
    // Taken over from a dead daemon.
    const { pinAddress, pinPort } = config;
    return (
      (!pinAddress || wanted.address === found.address) && (!pinPort || wanted.port === found.port)
    );
  }

  #lookUp(): Promise<Endpoint> {
    const { peer, resolve } = this.#options;
    const { host, port } = peer.config.endpoint ?? { host: "", port: 0 };
    if (peer.wanted === undefined) return resolve(host, port);
    const failing = this.#unanswered >= PATIENCE && this.#isFailing();
    return resolve(host, port, { address: peer.wanted.address, failing });
  }

  async #prove(): Promise<void> {
    const { peer, clock } = this.#options;
    const to = peer.wanted;
    this.#proveAt = undefined;
    // One without an address is proven to once it has one.
    if (peer.config.role !== "dial" || to === undefined) return;
    this.#proving = true;
    let failed = false;
    try {
      await this.#send(to);
    } catch (error) {
      failed = true;
      this.#complain("unanswered", error instanceof Error ? error.message : String(error));
    }
    this.#proving = false;
    const now = clock();
    this.#provedAt = now;
    // Whoever wished for one meanwhile has written it there.
    this.#proveAt = earlier(this.#proveAt, after(now, this.#pause(failed)));
    const patience = this.#suspected ? 2 : PATIENCE;
    if (this.#isFailing() && this.#unanswered >= patience) this.#resolveAt = now;
    this.#work();
  }

  async #send(to: Endpoint): Promise<void> {
    const { peer, signatures, source, nextHop, send } = this.#options;
    const from = source();
    if (from === undefined) return;
    const { identity, secret, authTtl } = peer.config;
    const now = Date.now();
    this.#lastProof = proofTime(this.#lastProof, now);
    const payload = buildProof(identity, secret, this.#lastProof, randomBytes(4), signatures);
    this.#proofs = [payload, ...this.#proofs].slice(0, REMEMBERED);
    this.#unanswered++;
    if (this.#unreplied > 0 && !this.#speaksForItself) this.#replies = 0;
    this.#unreplied++;
    const port = identity.kind === "heartbeat" ? identity.port : undefined;
    const destination = port === undefined ? nextHop(to) : { ...nextHop(to), port };
    await send(buildDatagram({ source: from, destination, payload }, authTtl), destination);
    peer.lastAuthentication = now;
    // A tunnel through which nobody sends hears nothing either: that is no news.
    if (this.#unanswered >= PATIENCE && (this.#hasMissed() || this.#speaksForItself)) {
      peer.answered = false;
      const reason =
        "nothing comes back: is it up, is its UDP port open, do key, secret and clock match?";
      this.#complain("unanswered", reason);
    }
  }

  /** Something was sent through the tunnel after what came out of it last. */
  #hasMissed(): boolean {
    return (this.#listening?.last.sent ?? 0) > this.#sentAtNews;
  }

  #isFailing(): boolean {
    return this.#suspected || !this.#options.peer.answered;
  }

  /** Milliseconds until the next authentication; undefined: not by time alone. */
  #pause(failed: boolean): number | undefined {
    const { peer } = this.#options;
    const answered = peer.answered && !this.#suspected && !failed;
    const { keepalive } = peer.config;
    const state = { unanswered: this.#unanswered, answered, keepalive, missed: this.#hasMissed() };
    return nextPause(state, Math.random());
  }

  #untilLookup(): number | undefined {
    const { resolveInterval } = this.#options.peer.config;
    if (this.#unresolved === 0) return resolveInterval === 0 ? undefined : resolveInterval;
    const state = { unanswered: this.#unresolved, answered: false, keepalive: 0, missed: true };
    return nextPause(state, Math.random());
  }

  /** Each complaint once, until something else happens. */
  #complain(event: EventName, reason: string): void {
    if (this.#complaint === reason || this.#closed) return;
    this.#complaint = reason;
    this.#emit(event, this.#options.peer.wanted, reason);
  }

  #emit(event: EventName, endpoint: Endpoint | undefined, reason: string | null): void {
    const { peer, emit } = this.#options;
    const { host = "?", port = 0 } = peer.config.endpoint ?? {};
    const named = port === 0 ? host : `${host}:${port}`;
    const where = endpoint === undefined ? named : formatEndpoint(endpoint);
    emit({ event, tunnel: peer.tunnel.name, peer: peer.config.name, endpoint: where, reason });
  }
}

function after(start: number, pause: number | undefined): number | undefined {
  return pause === undefined ? undefined : start + pause;
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function isDue(at: number | undefined, now: number): boolean {
  return at !== undefined && at <= now;
}
