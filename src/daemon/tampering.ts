/**
 * Notifications of rtnetlink that say that somebody else has changed what is ours. Those of our own writes
 * carry the port of our sockets. A value that learns from messages; it asks and changes nothing.
 */
import { RTM_DELADDR, RTM_NEWADDR } from "../kernel/address.ts";
import { decodeLink, IFF_UP, RTM_DELLINK, RTM_NEWLINK } from "../kernel/link.ts";
import { NEXTHOP, NHMSG, RTM_DELNEXTHOP, RTM_NEWNEXTHOP } from "../kernel/nexthop.ts";
import { ROUTE, RTM_DELROUTE, RTM_NEWROUTE, RTMSG } from "../kernel/route.ts";
import { FIB_RULE_HDR, RTM_DELRULE, RULE } from "../kernel/rule.ts";
import { type Endpoint, formatPrefix, type IpAddress } from "../net/address.ts";
import type { Devices, Link } from "../net/objects.ts";
import { readU32 } from "../netlink/attributes.ts";
import { NLM_F_REPLACE } from "../netlink/constants.ts";
import type { Message } from "../netlink/request.ts";
import { isNexthopId } from "../plan/ids.ts";
import { protocolOf } from "../plan/ownership.ts";

export interface Owner {
  readonly table: string;
  /** Names of our devices. */
  readonly interfaces: ReadonlySet<string>;
  /** Whether the socket of this port is ours. */
  isOwn(port: number): boolean;
  /** Where a device of ours may point to by our own hand. */
  endpointsOf(device: string): readonly Endpoint[];
  /** Words for whoever has this port. */
  nameOf(port: number): string;
}

/** What is compared of a device: the rest (counters, carrier) changes by itself. */
type Settings = Pick<Link, "alias" | "mtu" | "ipip">;

/** Replaced routes that are remembered until somebody asks. */
const MOST_REPLACED = 1000;

/** Indexes are as good as names for telling whether an underlay is another one. */
const unnamed: Devices = { index: () => undefined, name: () => undefined };

export class Tampering {
  readonly #owner: Owner;
  readonly #protocol: number;
  /** Ours, by index. */
  readonly #names = new Map<number, string>();
  readonly #settings = new Map<string, Settings>();
  readonly #down = new Set<string>();
  /** What was listed and nobody has asked for yet, by index: with 1,000 devices reading it is a part of the start. */
  readonly #unread = new Map<number, Message>();
  #replaced = new Map<string, number>();

  constructor(owner: Owner) {
    this.#owner = owner;
    this.#protocol = protocolOf(owner.table);
  }

  /** Devices as they are, where nothing newer is known of them. */
  learn(messages: readonly Message[]): void {
    for (const message of messages) this.#unread.set(indexIn(message), message);
  }

  #read(index: number): void {
    const message = this.#unread.get(index);
    if (message === undefined) return;
    this.#unread.delete(index);
    const link = decodeLink(message, unnamed);
    if (link === undefined || !this.#owner.interfaces.has(link.name)) return;
    if (this.#settings.has(link.name)) return;
    this.#names.set(link.index, link.name);
    this.#settings.set(link.name, link);
  }

  #readAll(): void {
    for (const index of [...this.#unread.keys()]) this.#read(index);
  }

  get table(): string {
    return this.#owner.table;
  }

  isOwn(port: number): boolean {
    return this.#owner.isOwn(port);
  }

  /** Our devices, by index. */
  get devices(): ReadonlyMap<number, string> {
    this.#readAll();
    return this.#names;
  }

  /** Whether a notification is about a device of ours. */
  isAboutOurs(message: Message): boolean {
    if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return false;
    this.#read(indexIn(message));
    if (this.#names.has(indexIn(message))) return true;
    const link = decodeLink(message, unnamed);
    return link !== undefined && this.#owner.interfaces.has(link.name);
  }

  /** What has become of ours, in words; undefined: nothing. */
  take(message: Message): string | undefined {
    const { type, payload, port = 0 } = message;
    // A route's message has no index there; what is found by chance is read a little early.
    this.#read(indexIn(message));
    if (type === RTM_NEWLINK || type === RTM_DELLINK) return this.#takeLink(message);
    // What the kernel takes along with a device is told by the device.
    if (port === 0 || this.#owner.isOwn(port)) return undefined;
    switch (type) {
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const device = this.#names.get(indexIn(message));
        return device === undefined ? undefined : this.#by(message, `an address of ${device}`);
      }
      case RTM_NEWROUTE:
        if (payload[5] === this.#protocol) return this.#by(message, "a route");
        if ((message.flags & NLM_F_REPLACE) !== 0) this.#noteReplaced(message, port);
        return undefined;
      case RTM_DELROUTE:
        return payload[5] === this.#protocol ? this.#by(message, "a route") : undefined;
      case RTM_NEWNEXTHOP:
      case RTM_DELNEXTHOP: {
        // Replaced by somebody else's it may carry another protocol.
        const { id = 0 } = NEXTHOP.decode(payload, NHMSG);
        const ours = payload[2] === this.#protocol || isNexthopId(id);
        return ours ? this.#by(message, "a nexthop") : undefined;
      }
      case RTM_DELRULE: {
        const { protocol } = RULE.decode(payload, FIB_RULE_HDR);
        return protocol === this.#protocol ? this.#by(message, "a rule") : undefined;
      }
      default:
        return undefined;
    }
  }

  /**
   * Routes of others that took the place of one that had the same destination, since the last time: who has
   * written them, by destination. It may have been ours; a route does not tell whose place it took.
   */
  drainReplaced(): ReadonlyMap<string, string> {
    const replaced = this.#replaced;
    this.#replaced = new Map();
    return new Map(
      [...replaced].map(([to, port]) => [
        to,
        `a route was replaced by ${this.#owner.nameOf(port)}`,
      ]),
    );
  }

  #takeLink(message: Message): string | undefined {
    const link = decodeLink(message, unnamed);
    if (link === undefined) return undefined;
    const { name, index } = link;
    const known = this.#names.get(index);
    if (known !== undefined && known !== name) {
      this.#forget(index, known);
      return `${known} was renamed to ${name}`;
    }
    if (!this.#owner.interfaces.has(name)) return undefined;
    if (message.type === RTM_DELLINK) {
      // By its name, too.
      this.#readAll();
      // Of a device that was made anew the old one's end may come late.
      if (known === undefined && this.#settings.has(name)) return undefined;
      this.#forget(index, name);
      return `${name} is gone`;
    }
    this.#names.set(index, name);
    const before = this.#settings.get(name);
    this.#settings.set(name, link);
    if ((readU32(message.payload, 8) & IFF_UP) === 0) this.#down.add(name);
    else if (this.#down.delete(name)) return `${name} came up`;
    return before !== undefined && this.#differs(before, link) ? `${name} was changed` : undefined;
  }

  #forget(index: number, name: string): void {
    this.#names.delete(index);
    this.#settings.delete(name);
    this.#down.delete(name);
  }

  /** The kernel names nobody as the author of a device's change, so where it points to must tell. */
  #differs(before: Settings, link: Link): boolean {
    if (settings(before) === settings(link)) return false;
    if (settings(before, false) !== settings(link, false)) return true;
    const { remote, fou } = link.ipip ?? {};
    const known = this.#owner.endpointsOf(link.name);
    return !known.some(
      ({ address, port }) =>
        address === remote && (fou === undefined || port === fou.destinationPort),
    );
  }

  #noteReplaced({ payload }: Message, port: number): void {
    if (this.#replaced.size >= MOST_REPLACED) return;
    const { destination = "0.0.0.0" as IpAddress } = ROUTE.decode(payload, RTMSG);
    this.#replaced.set(formatPrefix({ address: destination, length: payload[1] ?? 0 }), port);
  }

  #by({ type, port = 0 }: Message, what: string): string {
    // New, delete: 0, 1 of each four types.
    const how = type % 4 === 0 ? "changed" : "removed";
    return `${what} was ${how} by ${this.#owner.nameOf(port)}`;
  }
}

/** Messages about links and about addresses have it at the same place. */
function indexIn({ payload }: Message): number {
  return payload.length < 8 ? 0 : readU32(payload, 4);
}

/** @param whole With where it points to. */
function settings({ alias, mtu, ipip }: Settings, whole = true): string {
  const { remote, fou, ...rest } = ipip ?? {};
  const to = whole ? [remote, fou?.destinationPort] : [];
  return JSON.stringify([alias, mtu, rest, fou?.sourcePort, fou?.checksum, fou !== undefined, to]);
}
