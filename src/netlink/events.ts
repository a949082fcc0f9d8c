/**
 * Notifications, on a socket of their own: a burst of them can then neither push out nor be taken for
 * replies. The socket must not have NETLINK_NO_ENOBUFS, or losses go unnoticed.
 */
import type { NetlinkSocket } from "../native/addon.ts";
import { MalformedMessage } from "./attributes.ts";
import { walkMessages } from "./messages.ts";
import type { Message } from "./request.ts";

export class NetlinkEvents {
  readonly #socket: NetlinkSocket;
  #closed = false;

  /** Joins the groups, by number. Throws SystemError where one is refused. */
  constructor(socket: NetlinkSocket, groups: readonly number[]) {
    this.#socket = socket;
    for (const group of groups) socket.join(group);
  }

  /**
   * @param onLoss Something was not delivered or could not be read: what was learned from events is out of
   *   date and has to be read anew. Called after the messages that did arrive with it.
   */
  listen(onMessage: (message: Message) => void, onLoss: () => void): void {
    this.#socket.start(() => {
      if (this.#read(onMessage)) onLoss();
    });
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#socket.close();
  }

  /** Whether something was lost. */
  #read(onMessage: (message: Message) => void): boolean {
    let lost = false;
    for (;;) {
      try {
        const datagram = this.#closed ? undefined : this.#socket.recv();
        if (datagram === undefined) return lost;
        walkMessages(datagram, onMessage);
      } catch (error) {
        if (!isLoss(error)) throw error;
        lost = true;
      }
    }
  }
}

/** ENOBUFS comes once per loss, and reading goes on behind it. */
function isLoss(error: unknown): boolean {
  return error instanceof MalformedMessage || (error as { code?: unknown }).code === "ENOBUFS";
}
