/**
 * A dialled peer over time: find its address, prove ourselves, do it again before NATs on the way forget
 * us, and sooner while nothing comes back.
 */
import { randomBytes } from "node:crypto";
import { type Endpoint, formatEndpoint, type IpAddress, sameEndpoint } from "../net/address.ts";
import { buildDatagram } from "../wire/datagram.ts";
import { buildProof } from "../wire/proof.ts";
import { judgeReply } from "../wire/reply.ts";
import type { Signatures } from "../wire/signatures.ts";
import { nextPause } from "./backoff.ts";
import type { Allowance } from "./door.ts";
import type { EventName, EventSink } from "./events.ts";
import type { Peer } from "./peers.ts";
import type { Tunnels } from "./tunnels.ts";

/** Unanswered authentications until the first word about it. */
const PATIENCE = 4;

/**
 * So many authentications in a row that were answered tell a peer that answers each one; ipipou 0.1 answers
 * those alone that come from somewhere new.
 */
const STEADY = 3;

/** Authentications whose answers are still understood. */
const REMEMBERED = 2;

export interface Traffic {
  readonly received: bigint;
  readonly sent: bigint;
}

export interface DiallerOptions {
  readonly peer: Peer;
  readonly tunnels: Tunnels;
  readonly signatures: Signatures;
  readonly emit: EventSink;
  /** Where our outer packets come from; undefined while the device has no address. */
  readonly source: () => Endpoint | undefined;
  readonly resolve: (host: string, port: number, current?: IpAddress) => Promise<Endpoint>;
  /** Sends a whole IPv4 packet with the tunnel's mark. */
  readonly send: (packet: Buffer, to: Endpoint) => Promise<void>;
  /** Packets that the tunnel's device has received and sent so far. */
  readonly traffic: () => Promise<Traffic>;
  /** Resolves when what was decided stands in the kernel. */
  readonly settled: () => Promise<void>;
}

export class Dialler {
  readonly #options: DiallerOptions;
  #timer: NodeJS.Timeout | undefined;
  #unanswered = 0;
  /** Look-ups of the name in a row that gave no endpoint. */
  #unresolved = 0;
  #traffic: Traffic | undefined;
  /** Packets that had been sent when something last came back. */
  #sentAtNews = 0n;
  /** Milliseconds until an authentication is due; undefined: not by time alone. Free of the clock's jumps. */
  #due: number | undefined = 0;
  /** What the name gave last. */
  #found: Endpoint | undefined;
  /** Milliseconds since the name was resolved; undefined: never. */
  #resolvedFor: number | undefined;
  /** Payloads of the last authentications, the newest first: what an unsigned answer has in reverse. */
  #proofs: readonly Uint8Array[] = [];
  /** Authentications since the last answer, and answers to one each before that. */
  #unreplied = 0;
  #replies = 0;
  #complaint: string | undefined;
  #closed = false;
  /** At most one round at a time; a wish that comes meanwhile makes another. */
  #round: Promise<void> | undefined;
  #again = false;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** Authenticates now; also what SIGUSR1, `reauth` and a changed address do. */
  now(): void {
    if (this.#closed) return;
    if (this.#round !== undefined) {
      this.#again = true;
      return;
    }
    this.#due = 0;
    this.#begin();
  }

  get peer(): Peer {
    return this.#options.peer;
  }

  /**
   * Something of an answer's form came from the peer's endpoint to our port. undefined: it is one, and says
   * who answered, which a device that several peers share does not; else why it is none, and nothing changes.
   */
  hear(payload: Uint8Array, now: number, allowance: Allowance): string | undefined {
    const { peer, signatures } = this.#options;
    if (peer.config.proof.kind === "key" && !allowance.verification())
      return "more answers at once than can be verified";
    const reply = judgeReply(payload, peer.config, this.#proofs, peer.mark, now, signatures);
    if (reply.verdict === "other") return reply.reason;
    peer.mark = reply.mark;
    peer.lastAuthentication = now;
    if (this.#unreplied > 0) this.#replies++;
    this.#unreplied = 0;
    const waited = this.#unanswered > 0 || !peer.answered;
    this.#answered();
    // The pause of an unanswered one has begun: from here on it is the keepalive.
    if (waited && this.#round === undefined && !this.#closed) {
      clearTimeout(this.#timer);
      this.#due = 0;
      this.#schedule(false);
    }
    return undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#round = this.#dial().finally(() => {
      this.#round = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.now();
    });
  }

  async #dial(): Promise<void> {
    const { peer } = this.#options;
    let failed = false;
    try {
      // What can't be counted now is no reason to let a NAT forget us.
      await this.#look().catch(() => undefined);
      const before = peer.wanted;
      if (this.#mayResolve()) await this.#resolve();
      if (this.#closed) return;
      const due = this.#due === 0 || !sameEndpoint(before, peer.wanted);
      if (due && peer.wanted !== undefined && peer.config.role === "dial") {
        this.#due = 0;
        await this.#prove(peer.wanted);
      }
    } catch (error) {
      failed = true;
      this.#complain("unanswered", error instanceof Error ? error.message : String(error));
    }
    if (!this.#closed) this.#schedule(failed);
  }

  /** Something came out of the tunnel since the last look: the other side accepts us. */
  async #look(): Promise<void> {
    const { traffic } = this.#options;
    const now = await traffic();
    const before = this.#traffic;
    this.#traffic = now;
    // The first look, or a device that was made anew and counts from 0.
    if (before === undefined || now.sent < before.sent) this.#sentAtNews = now.sent;
    if (before === undefined || now.received <= before.received) return;
    // Others come out of the same device, and this peer speaks for itself.
    if (this.#speaksForItself) return;
    this.#answered();
  }

  get #speaksForItself(): boolean {
    return this.#options.peer.tunnel.peers.length > 1 && this.#replies >= STEADY;
  }

  /** The other side has let us know that it accepts us. */
  #answered(): void {
    const { peer } = this.#options;
    this.#unanswered = 0;
    this.#sentAtNews = this.#traffic?.sent ?? 0n;
    this.#complaint = undefined;
    if (peer.answered || peer.wanted === undefined) return;
    peer.answered = true;
    this.#emit("authenticated", peer.wanted, null);
  }

  #mayResolve(): boolean {
    const { peer } = this.#options;
    const { resolveInterval } = peer.config;
    if (peer.wanted === undefined || this.#resolvedFor === undefined) return true;
    if (this.#unanswered >= PATIENCE && !peer.answered) return true;
    return resolveInterval > 0 && this.#resolvedFor >= resolveInterval;
  }

  async #resolve(): Promise<void> {
    const { peer, resolve, tunnels, settled } = this.#options;
    const { endpoint } = peer.config;
    if (endpoint === undefined) return;
    try {
      const found = await resolve(
        endpoint.host,
        endpoint.port,
        peer.answered ? peer.wanted?.address : undefined,
      );
      if (this.#closed) return;
      this.#resolvedFor = 0;
      const stays = this.#hasMovedFrom(found);
      this.#found = found;
      if (stays || tunnels.resolved(peer, found)) this.#unresolved = 0;
      else this.#unresolved++;
      await settled();
    } catch (error) {
      this.#unresolved++;
      this.#complain("unresolved", error instanceof Error ? error.message : String(error));
    }
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

  async #prove(to: Endpoint): Promise<void> {
    const { peer, signatures, source, send } = this.#options;
    const from = source();
    if (from === undefined) return;
    const { identity, secret, authTtl } = peer.config;
    const now = Date.now();
    const payload = buildProof(identity, secret, now, randomBytes(4), signatures);
    this.#proofs = [payload, ...this.#proofs].slice(0, REMEMBERED);
    this.#unanswered++;
    if (this.#unreplied > 0 && !this.#speaksForItself) this.#replies = 0;
    this.#unreplied++;
    await send(buildDatagram({ source: from, destination: to, payload }, authTtl), to);
    peer.lastAuthentication = now;
    // A tunnel through which nobody sends hears nothing either: that is no news.
    const expectsNews = (this.#traffic?.sent ?? 0n) > this.#sentAtNews || this.#speaksForItself;
    if (this.#unanswered >= PATIENCE && expectsNews) {
      peer.answered = false;
      const reason =
        "nothing comes back: is it up, is its UDP port open, do key, secret and clock match?";
      this.#complain("unanswered", reason);
    }
  }

  #schedule(failed: boolean): void {
    if (this.#due === 0) this.#due = this.#pause(failed);
    const wait = Math.min(this.#due ?? Infinity, this.#untilLookup() ?? Infinity);
    if (wait === Infinity) return;
    this.#timer = setTimeout(() => {
      if (this.#due !== undefined) this.#due = Math.max(0, this.#due - wait);
      if (this.#resolvedFor !== undefined) this.#resolvedFor += wait;
      this.#begin();
    }, wait);
  }

  /** Milliseconds; undefined: not by time alone. */
  #untilLookup(): number | undefined {
    const { resolveInterval } = this.#options.peer.config;
    if (resolveInterval === 0) return undefined;
    const left = resolveInterval - (this.#resolvedFor ?? 0);
    if (left > 0) return left;
    // The last try failed.
    const state = { unanswered: this.#unresolved, answered: false, keepalive: 0 };
    return nextPause(state, Math.random());
  }

  #pause(failed: boolean): number | undefined {
    const { peer } = this.#options;
    const { keepalive, role } = peer.config;
    if (role === "static" && peer.wanted !== undefined) return undefined;
    const unanswered = Math.max(this.#unanswered, this.#unresolved);
    const answered = peer.answered && !failed;
    return nextPause({ unanswered, answered, keepalive }, Math.random());
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
    const where = endpoint === undefined ? `${host}:${port}` : formatEndpoint(endpoint);
    emit({ event, tunnel: peer.tunnel.name, peer: peer.config.name, endpoint: where, reason });
  }
}
