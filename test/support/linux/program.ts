/** Another program on the small Linux: what it does comes from a socket of its own. */
import { batchBegin, batchEnd } from "../../../src/kernel/nftables/message.ts";
import { Netlink } from "../../../src/netlink/connection.ts";
import {
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
} from "../../../src/netlink/constants.ts";
import type { KernelError } from "../../../src/netlink/errors.ts";
import type { Request } from "../../../src/netlink/request.ts";
import type { Linux } from "./linux.ts";
import { FAMILY } from "./listeners.ts";

export class Program {
  readonly linux: Linux;
  readonly #route: Netlink;
  readonly #generic: Netlink;
  readonly #netfilter: Netlink;

  constructor(linux: Linux) {
    this.linux = linux;
    const open = (protocol: number) => new Netlink(new linux.addon.NetlinkSocket({ protocol }));
    this.#route = open(NETLINK_ROUTE);
    this.#generic = open(NETLINK_GENERIC);
    this.#netfilter = open(NETLINK_NETFILTER);
  }

  /** Of rtnetlink, and of FOU. Gives the first refusal. */
  readonly ask = async (requests: readonly Request[]): Promise<KernelError | undefined> => {
    const isFou = requests.some(({ type }) => type === FAMILY.id);
    const results = await (isFou ? this.#generic : this.#route).requestAll(requests);
    return results.find((refused) => refused !== undefined);
  };

  /** Rejects with the first refusal. */
  readonly demand = async (requests: readonly Request[]): Promise<void> => {
    const refused = await this.ask(requests);
    if (refused !== undefined) throw refused;
  };

  /** Of nf_tables, whole or not at all. */
  readonly batch = async (requests: readonly Request[]): Promise<void> => {
    await this.#netfilter.batch(batchBegin(), requests, batchEnd());
  };
}
