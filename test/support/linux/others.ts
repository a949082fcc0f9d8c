/** Objects of others on the small Linux, of each kind that we have, as close to ours as they may be. */
import { newAddress } from "../../../src/kernel/address.ts";
import { addListener } from "../../../src/kernel/fou.ts";
import { newLink, setLinkUp } from "../../../src/kernel/link.ts";
import { newProxy } from "../../../src/kernel/neighbour.ts";
import { newNexthop } from "../../../src/kernel/nexthop.ts";
import { newChain } from "../../../src/kernel/nftables/chain.ts";
import { NFPROTO_IPV4 } from "../../../src/kernel/nftables/constants.ts";
import { newElements } from "../../../src/kernel/nftables/element.ts";
import { newRule as newNftRule } from "../../../src/kernel/nftables/rule.ts";
import { newSet } from "../../../src/kernel/nftables/set.ts";
import { newTable } from "../../../src/kernel/nftables/table.ts";
import { newRoute } from "../../../src/kernel/route.ts";
import { newRule } from "../../../src/kernel/rule.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { Route } from "../../../src/net/objects.ts";
import type { Request } from "../../../src/netlink/request.ts";
import { prefix } from "../configuration.ts";
import { FAMILY } from "./listeners.ts";
import type { Program } from "./program.ts";

const STATIC = 4;
const table = { family: NFPROTO_IPV4, name: "other" };

const route: Route = {
  ...({ type: "unicast", destination: prefix("10.98.0.0/16"), table: 254, metric: 0 } as const),
  ...{ protocol: STATIC, device: "eth0", gateway: undefined, onlink: false },
  ...{ nexthop: undefined, source: undefined },
};

/** @param outer Our address. */
export async function addOthers({ linux, demand, batch }: Program, outer: string): Promise<void> {
  const { devices } = linux.route;
  const local = ipAddress(outer);
  const ipip = {
    ...{ local, remote: ipAddress("198.51.100.200"), device: undefined, fou: undefined },
    ...{ ttl: 0, tos: 0, pathMtuDiscovery: true, fwmark: 0 },
  };
  await demand([newLink({ name: "plain9", alias: "", mtu: 1480, ipip }, devices)]);
  await demand([setLinkUp("plain9")]);
  const address = { noPrefixRoute: false, protocol: 0, peer: undefined, prefixLength: 24 };
  const requests: Request[] = [
    newAddress({ ...address, device: "plain9", local: ipAddress("10.99.1.1") }, devices),
    newRoute(route, devices),
    newRoute({ ...route, destination: prefix("172.28.1.2/32"), table: 77 }, devices),
    newRoute({ ...route, destination: prefix("172.28.1.2/32"), metric: 50 }, devices),
    newRoute({ ...route, device: "plain9", destination: prefix("10.96.0.0/16") }, devices),
    newNexthop({ id: 7, protocol: STATIC, to: { kind: "blackhole" } }, devices),
    newRule({
      ...{ priority: 90, from: prefix("10.99.0.0/24"), to: undefined, fwmark: undefined },
      ...{ invert: false, table: 77, suppressPrefixLength: undefined, protocol: STATIC },
    }),
    newProxy({ address: ipAddress("203.0.113.99"), device: "eth0", protocol: 0 }, devices),
  ];
  await demand(requests);
  const listener = { port: 7777, local, peer: undefined, peerPort: undefined, device: undefined };
  await demand([addListener(FAMILY, { ...listener, ipProtocol: 4, type: "direct" }, devices)]);
  const set = {
    ...({ kind: "set", name: "peers", key: [{ type: "ipv4_addr", bytes: 4 }] } as const),
    ...{ data: undefined, timeouts: false, defaultTimeout: 0, dynamic: false, size: 0 },
    ...{ expressions: [], userdata: "" },
  };
  const element = { kind: "element", set: "peers", key: "0a630001", data: undefined } as const;
  const base = { type: "filter", hook: 0, priority: -310, policy: "accept" } as const;
  await batch([
    newTable(NFPROTO_IPV4, { kind: "table", name: "other", comment: undefined }),
    newSet(table, set),
    newElements(table, "peers", [
      { ...element, timeout: 0, expires: undefined, counter: undefined },
    ]),
    newChain(table, { kind: "chain", name: "in", base, comment: undefined }),
    newNftRule(table, "in", { expressions: [], comment: "theirs" }),
  ]);
}
