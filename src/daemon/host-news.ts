/**
 * What a burst of rtnetlink's notifications says about the host outside our tunnels. A value that gathers
 * messages and is emptied; it asks and changes nothing.
 */
import { decodeDevice, IFF_LOWER_UP, IFF_UP, RTM_DELLINK, RTM_NEWLINK } from "../kernel/link.ts";
import { ROUTE, RTM_DELROUTE, RTM_NEWROUTE, RTMSG } from "../kernel/route.ts";
import type { Link } from "../net/objects.ts";
import { readU32 } from "../netlink/attributes.ts";
import type { Message } from "../netlink/request.ts";
import { isOurProtocol } from "../plan/ownership.ts";

/** Ways out that have come (back): whoever has mapped our packets on the old one knows nothing of them. */
export interface NewWays {
  /** Indexes of devices that work again, or have a new default route. */
  readonly devices: ReadonlySet<number>;
  /** There is a new default route, wherever it leads. */
  readonly defaultRoute: boolean;
}

export class HostNews {
  /** Whether a device worked when it was last heard of, by index. */
  readonly #working: Map<number, boolean>;
  #devices = new Set<number>();
  #defaultRoute = false;

  constructor(links: readonly Link[]) {
    this.#working = new Map(links.map(({ index, up, carrier }) => [index, up && carrier]));
  }

  /** Whether it can matter to where tunnels leave. */
  take(message: Message): boolean {
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        return this.#takeLink(message);
      case RTM_NEWROUTE:
        return this.#takeRoute(message);
      case RTM_DELROUTE:
        return isDefaultRoute(message);
      default:
        return true;
    }
  }

  /** What has been gathered; it begins anew. */
  drain(): NewWays {
    const ways = { devices: this.#devices, defaultRoute: this.#defaultRoute };
    this.#devices = new Set();
    this.#defaultRoute = false;
    return ways;
  }

  #takeLink(message: Message): boolean {
    const device = decodeDevice(message);
    if (device === undefined) return false;
    const { index } = device;
    if (message.type === RTM_DELLINK) {
      this.#working.delete(index);
      return true;
    }
    const flags = readU32(message.payload, 8);
    const works = (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0;
    if (works && this.#working.get(index) !== true) this.#devices.add(index);
    this.#working.set(index, works);
    return true;
  }

  #takeRoute(message: Message): boolean {
    if (!isDefaultRoute(message)) return false;
    this.#defaultRoute = true;
    const { device } = ROUTE.decode(message.payload, RTMSG);
    if (device !== undefined) this.#devices.add(device);
    return true;
  }
}

/** Of all routes only these decide where tunnels leave; a router's other ones may change all day. */
function isDefaultRoute({ payload }: Message): boolean {
  return payload[1] === 0 && !isOurProtocol(payload[5] ?? 0);
}
