/** Links, addresses, routes, nexthops, rules and proxy neighbours. */
import { constants } from "node:os";
import { decodeAddress, RTM_NEWADDR } from "../../../src/kernel/address.ts";
import {
  decodeLink,
  IFF_LOWER_UP,
  IFF_UP,
  LINK,
  RTM_DELLINK,
  RTM_NEWLINK,
} from "../../../src/kernel/link.ts";
import { decodeProxy, RTM_NEWNEIGH } from "../../../src/kernel/neighbour.ts";
import { decodeNexthop, RTM_NEWNEXTHOP } from "../../../src/kernel/nexthop.ts";
import { decodeRoute, RTM_NEWROUTE } from "../../../src/kernel/route.ts";
import {
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_LINK,
  RTNLGRP_NEXTHOP,
} from "../../../src/kernel/rtnetlink.ts";
import { decodeRule, RTM_NEWRULE } from "../../../src/kernel/rule.ts";
import type { Devices } from "../../../src/net/objects.ts";
import { readS32, readU32, writeS32, writeU32 } from "../../../src/netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "../../../src/netlink/constants.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { type Family, Refusal } from "./linux.ts";

const { EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, ESRCH } = constants.errno;

const IFINFOMSG = 16;

interface Kept {
  readonly payload: Buffer;
  /** The device without which it can't be. */
  readonly device: string | undefined;
  /** The number of the nexthop object without which it can't be. */
  readonly nexthop: number | undefined;
  readonly words: string;
}

interface KeptLink {
  readonly index: number;
  readonly name: string;
  alias: string | undefined;
  mtu: number;
  info: Buffer | undefined;
  flags: number;
}

/** Who has joined it hears of the message; undefined: nobody does. */
export function groupOf({ type }: Message): number | undefined {
  return GROUPS.get(type - (type % 4));
}

const GROUPS: ReadonlyMap<number, number> = new Map([
  [RTM_NEWLINK, RTNLGRP_LINK],
  [RTM_NEWADDR, RTNLGRP_IPV4_IFADDR],
  [RTM_NEWROUTE, RTNLGRP_IPV4_ROUTE],
  [RTM_NEWRULE, RTNLGRP_IPV4_RULE],
  [RTM_NEWNEXTHOP, RTNLGRP_NEXTHOP],
]);

export class Rtnetlink implements Family {
  readonly #tell: (message: Message) => void;
  readonly #links = new Map<number, KeptLink>();
  /** By the type that makes them and a key. */
  readonly #kept = new Map<number, Map<string, Kept>>(
    [RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEXTHOP, RTM_NEWRULE, RTM_NEWNEIGH].map((type) => [
      type,
      new Map(),
    ]),
  );
  readonly #indexes = new Map<string, number>();
  #nextIndex = 1;

  /** @param tell What is done, as others hear of it. */
  constructor(tell: (message: Message) => void) {
    this.#tell = tell;
  }

  /** A device of others, with an address. */
  addDevice(name: string, ...addresses: readonly Message[]): void {
    const index = this.#nextIndex++;
    const flags = IFF_UP | IFF_LOWER_UP;
    this.#links.set(index, { index, name, alias: undefined, mtu: 1500, info: undefined, flags });
    this.#indexes.set(name, index);
    for (const message of addresses) this.request(message);
  }

  readonly devices: Devices = {
    name: (index) => this.#links.get(index)?.name,
    index: (name) => this.#indexes.get(name),
  };

  get state(): string[] {
    const links = [...this.#links.values()].map(({ index, ...link }) => {
      const of = decodeLink(this.#linkMessage({ index, ...link }), this.devices);
      return `link ${JSON.stringify({ ...of, index: 0 })}`;
    });
    const rest = [...this.#kept.values()].flatMap((all) => [...all.values()]);
    return [...links, ...rest.map(({ words }) => words)];
  }

  dump({ type }: Message): Message[] {
    const made = type - 2;
    if (made === RTM_NEWLINK)
      return [...this.#links.values()].map((link) => this.#linkMessage(link));
    return [...(this.#kept.get(made)?.values() ?? [])].map(({ payload }) => ({
      ...{ type: made, flags: 0, sequence: 0 },
      payload,
    }));
  }

  request(message: Message): Message[] {
    const { type, flags } = message;
    const made = type - (type % 4);
    const isNew = type === made;
    if (made === RTM_NEWLINK) {
      if (isNew) this.#newLink(message);
      else this.#removeLink(readS32(message.payload, 4));
      return [];
    }
    const all = this.#kept.get(made);
    if (all === undefined) throw new Refusal(EOPNOTSUPP);
    // The decoders know new and gone objects by the same attributes.
    const [key, kept] = this.#keep({ ...message, type: made });
    const there = all.get(key);
    if (!isNew) {
      if (there === undefined) throw new Refusal(made === RTM_NEWROUTE ? ESRCH : ENOENT);
      this.#remove(made, key);
      this.#tell({ ...message, payload: there.payload });
      return [];
    }
    if (there !== undefined && (flags & NLM_F_EXCL) !== 0 && made !== RTM_NEWNEIGH) {
      throw new Refusal(EEXIST);
    }
    if (there === undefined && (flags & (NLM_F_CREATE | NLM_F_REPLACE)) === 0) {
      throw new Refusal(ENOENT);
    }
    if (kept.nexthop !== undefined && !this.#hasNexthop(kept.nexthop)) throw new Refusal(EINVAL);
    all.set(key, kept);
    this.#tell(message);
    return [];
  }

  #keep(message: Message): [key: string, kept: Kept] {
    const payload = Buffer.from(message.payload);
    const { devices } = this;
    const keep = (
      key: unknown,
      object: object,
      device?: string,
      nexthop?: number,
    ): [string, Kept] => {
      if (device !== undefined && devices.index(device) === undefined) throw new Refusal(ENODEV);
      const words = `${message.type} ${JSON.stringify(object)}`;
      return [JSON.stringify(key), { payload, device, nexthop, words }];
    };
    switch (message.type) {
      case RTM_NEWADDR: {
        const one = decodeAddress(message, devices);
        if (one !== undefined)
          return keep([one.device, one.local, one.prefixLength], one, one.device);
        break;
      }
      case RTM_NEWROUTE: {
        const one = decodeRoute(message, devices);
        if (one === undefined) break;
        return keep([one.destination, one.table, one.metric], one, one.device, one.nexthop);
      }
      case RTM_NEWNEXTHOP: {
        const one = decodeNexthop(message, devices);
        if (one !== undefined)
          return keep(one.id, one, "device" in one.to ? one.to.device : undefined);
        break;
      }
      case RTM_NEWRULE: {
        const one = decodeRule(message);
        if (one !== undefined) return keep(one, one);
        break;
      }
      case RTM_NEWNEIGH: {
        const one = decodeProxy(message, devices);
        if (one !== undefined) return keep([one.address, one.device], one, one.device);
        break;
      }
    }
    throw new Refusal(EINVAL);
  }

  #hasNexthop(id: number): boolean {
    return this.#kept.get(RTM_NEWNEXTHOP)?.has(JSON.stringify(id)) === true;
  }

  #newLink({ payload, flags }: Message): void {
    const { name, mtu, alias, info } = LINK.decode(payload, IFINFOMSG);
    const wanted = readS32(payload, 4);
    const index = wanted === 0 && name !== undefined ? this.devices.index(name) : wanted;
    const there = this.#links.get(index ?? -1);
    if ((flags & NLM_F_CREATE) !== 0) {
      if (there !== undefined || this.devices.index(name ?? "") !== undefined) {
        throw new Refusal(EEXIST);
      }
      const own = wanted === 0 ? this.#nextIndex++ : wanted;
      const data = info?.data === undefined ? undefined : Buffer.from(info.data);
      this.#links.set(own, {
        ...{ index: own, name: name ?? "", alias: undefined, mtu: mtu ?? 1480 },
        ...{ info: data, flags: 0 },
      });
      this.#indexes.set(name ?? "", own);
      this.#tellLink(own);
      return;
    }
    if (there === undefined) throw new Refusal(ENODEV);
    if (alias !== undefined) there.alias = alias === "" ? undefined : alias;
    if (mtu !== undefined) there.mtu = mtu;
    if (info?.data !== undefined) there.info = Buffer.from(info.data);
    if ((readU32(payload, 12) & IFF_UP) !== 0) {
      const up = (readU32(payload, 8) & IFF_UP) !== 0;
      there.flags = up ? IFF_UP | IFF_LOWER_UP : 0;
      if (!up) this.#dropOf(there.name, [RTM_NEWROUTE, RTM_NEWNEXTHOP]);
    }
    this.#tellLink(there.index);
  }

  /** The kernel does not say who has changed a device; what goes with one is told by it alone. */
  #tellLink(index: number, type = RTM_NEWLINK): void {
    const link = this.#links.get(index);
    if (link !== undefined) this.#tell({ ...this.#linkMessage(link), type });
  }

  #removeLink(index: number): void {
    const link = this.#links.get(index);
    if (link === undefined) throw new Refusal(ENODEV);
    this.#tellLink(index, RTM_DELLINK);
    this.#dropOf(link.name, [...this.#kept.keys()]);
    this.#links.delete(index);
    this.#indexes.delete(link.name);
  }

  #dropOf(device: string, types: readonly number[]): void {
    for (const type of types) {
      for (const [key, kept] of this.#kept.get(type) ?? []) {
        if (kept.device === device) this.#remove(type, key);
      }
    }
  }

  #remove(type: number, key: string): void {
    this.#kept.get(type)?.delete(key);
    if (type !== RTM_NEWNEXTHOP) return;
    const routes = this.#kept.get(RTM_NEWROUTE);
    for (const [route, { nexthop }] of routes ?? []) {
      if (String(nexthop) === key) routes?.delete(route);
    }
  }

  #linkMessage({ index, name, alias, mtu, info, flags }: KeptLink): Message {
    const data = info === undefined ? undefined : { kind: "ipip", data: info };
    const payload = LINK.encode({ name, mtu, alias, info: data }, IFINFOMSG);
    writeS32(payload, index, 4);
    writeU32(payload, flags, 8);
    return { type: RTM_NEWLINK, flags: 0, sequence: 0, payload };
  }
}
