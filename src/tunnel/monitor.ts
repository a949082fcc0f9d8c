/**
 * An inner ping through a tunnel whose other side never says anything by itself: the one sign of life
 * that any host gives. Each request has a socket of its own that is open until the answer or the next
 * request, so nothing is read of what passes the tunnel otherwise, and a device that was made anew is
 * no trouble.
 */
import { randomBytes, randomInt } from "node:crypto";
import type { Monitor as Rule } from "../config/model.ts";
import type { IpAddress } from "../net/address.ts";
import { buildEchoRequest, type Echo, parseEchoReply } from "../wire/echo.ts";

/** What cannot be guessed in the time of one request. */
const NONCE = 16;

export interface EchoSocket {
  send(message: Buffer, to: IpAddress): void;
  close(): void;
}

export interface MonitorOptions {
  readonly rule: Rule;
  /** A socket bound to the tunnel's device; throws where there is none. */
  readonly open: (onPacket: (packet: Buffer) => void) => EchoSocket;
  readonly onAlive: () => void;
  readonly onFailure: (reason: string) => void;
}

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #identifier = randomInt(0x10000);
  #sequence = 0;
  #failures = 0;
  #asked: (Echo & { readonly socket: EchoSocket | undefined }) | undefined;
  #timer: NodeJS.Timeout;

  constructor(options: MonitorOptions) {
    this.#options = options;
    // Not all of a host's monitors in one moment.
    this.#timer = setTimeout(() => this.#round(), options.rule.interval * Math.random());
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#forget();
  }

  #round(): void {
    const { rule } = this.#options;
    this.#timer = setTimeout(() => this.#round(), rule.interval);
    if (this.#asked !== undefined) this.#missed();
    this.#forget();
    this.#ask();
  }

  #missed(): void {
    const { rule, onFailure } = this.#options;
    this.#failures++;
    if (this.#failures % rule.failures !== 0) return;
    onFailure(`${rule.ping} has not answered ${rule.failures} pings through the tunnel`);
  }

  #ask(): void {
    const { rule, open } = this.#options;
    const echo = {
      identifier: this.#identifier,
      sequence: this.#sequence,
      nonce: randomBytes(NONCE),
    };
    this.#sequence = (this.#sequence + 1) & 0xffff;
    let socket: EchoSocket | undefined;
    try {
      socket = open((packet) => this.#take(packet));
      this.#asked = { ...echo, socket };
      socket.send(buildEchoRequest(echo), rule.ping);
    } catch {
      // The device is down or gone: no answer either.
      this.#asked = { ...echo, socket };
    }
  }

  #take(packet: Buffer): void {
    const { rule, onAlive } = this.#options;
    const reply = parseEchoReply(packet);
    const asked = this.#asked;
    if (reply === undefined || asked === undefined || reply.source !== rule.ping) return;
    if (reply.identifier !== asked.identifier || reply.sequence !== asked.sequence) return;
    if (!asked.nonce.every((byte, i) => byte === reply.nonce[i])) return;
    if (reply.nonce.length !== asked.nonce.length) return;
    this.#forget();
    this.#failures = 0;
    onAlive();
  }

  #forget(): void {
    this.#asked?.socket?.close();
    this.#asked = undefined;
  }
}
