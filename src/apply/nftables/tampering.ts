/** Notifications that say that somebody else has changed our table. A value that gathers; it asks nothing. */
import { NFNLGRP_NFTABLES, NFPROTO_IPV4 } from "../../kernel/nftables/constants.ts";
import { type Author, decodeAuthor, familyOf, tableOf } from "../../kernel/nftables/message.ts";
import type { Message } from "../../netlink/request.ts";

/** The multicast group to listen to. */
export const TABLE_NEWS = NFNLGRP_NFTABLES;

export class TableTampering {
  readonly #table: string;
  readonly #isOwn: (port: number) => boolean;
  /** By the transaction whose notifications come now. */
  #touched = false;

  /** @param isOwn Whether the socket of this port is ours. */
  constructor(table: string, isOwn: (port: number) => boolean) {
    this.#table = table;
    this.#isOwn = isOwn;
  }

  /** Who did it, when a transaction that touched our table has been told whole. */
  take(message: Message): Author | undefined {
    if (this.#isOwn(message.port ?? 0)) return undefined;
    const author = decodeAuthor(message);
    if (author === undefined) {
      this.#touched ||= this.#isOurs(message);
      return undefined;
    }
    const { process, name } = author;
    const touched = this.#touched;
    this.#touched = false;
    return touched ? { process, name } : undefined;
  }

  #isOurs(message: Message): boolean {
    return tableOf(message) === this.#table && familyOf(message) === NFPROTO_IPV4;
  }
}
