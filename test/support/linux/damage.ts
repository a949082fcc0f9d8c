/** What somebody else can do to each of our objects on the small Linux: all of it, as it stands. */
import { observe } from "../../../src/apply/observe.ts";
import { openSockets } from "../../../src/apply/sockets.ts";
import { deleteAddress } from "../../../src/kernel/address.ts";
import { addListener, deleteListener } from "../../../src/kernel/fou.ts";
import { changeLink, deleteLink, setLinkAlias } from "../../../src/kernel/link.ts";
import { deleteProxy } from "../../../src/kernel/neighbour.ts";
import { deleteNexthop, replaceNexthop } from "../../../src/kernel/nexthop.ts";
import { deleteChain, newChain } from "../../../src/kernel/nftables/chain.ts";
import { NFPROTO_IPV4 } from "../../../src/kernel/nftables/constants.ts";
import { deleteElements, newElements } from "../../../src/kernel/nftables/element.ts";
import type { Chain, Element, NftObject, NftSet } from "../../../src/kernel/nftables/objects.ts";
import { flushChain, newRule } from "../../../src/kernel/nftables/rule.ts";
import { newSet } from "../../../src/kernel/nftables/set.ts";
import { deleteTable } from "../../../src/kernel/nftables/table.ts";
import { deleteRoute } from "../../../src/kernel/route.ts";
import { deleteRule } from "../../../src/kernel/rule.ts";
import { ipAddress } from "../../../src/net/address.ts";
import type { Devices } from "../../../src/net/objects.ts";
import type { Request } from "../../../src/netlink/request.ts";
import type { Resource } from "../../../src/plan/resources.ts";
import type { Linux } from "./linux.ts";
import { FAMILY } from "./listeners.ts";

export interface Damage {
  readonly kind: string;
  readonly words: string;
  /** nf_tables: one batch. */
  readonly atOnce: boolean;
  readonly requests: readonly Request[];
}

const name = "ipipou";
const table = { family: NFPROTO_IPV4, name };

export async function damages(linux: Linux): Promise<Damage[]> {
  const sockets = openSockets(linux.addon);
  try {
    const seen = await observe(sockets, name, { whole: false, sysctls: [] });
    const objects = seen.ruleset.kind === "ours" ? seen.ruleset.objects : [];
    return [
      ...seen.resources.flatMap((resource) => toResource(resource, linux.route.devices)),
      ...toRuleset(objects),
    ];
  } finally {
    sockets.close();
  }
}

function toResource(resource: Resource, devices: Devices): Damage[] {
  const { object } = resource;
  const damage = (words: string, ...requests: Request[]): Damage => ({
    ...{ kind: object, words: `${words} ${JSON.stringify(resource.spec)}`, atOnce: false },
    requests,
  });
  switch (object) {
    case "link": {
      const { spec } = resource;
      const index = devices.index(spec.name) ?? 0;
      const elsewhere = { ...spec.ipip, remote: ipAddress("198.51.100.99") };
      const all = [
        damage("delete", deleteLink(index)),
        damage("another MTU", changeLink(index, { ...spec, mtu: spec.mtu - 8 }, devices)),
        damage("no alias", setLinkAlias(index, "")),
      ];
      return spec.ipip.remote === undefined
        ? all
        : [...all, damage("elsewhere", changeLink(index, { ...spec, ipip: elsewhere }, devices))];
    }
    case "address":
      return [damage("delete", deleteAddress(resource.spec, devices))];
    case "route":
      return [damage("delete", deleteRoute(resource.spec, devices))];
    case "nexthop": {
      const { spec } = resource;
      const nowhere = { ...spec, to: { kind: "blackhole" } as const };
      const remove = damage("delete", deleteNexthop(spec.id));
      return spec.to.kind === "blackhole"
        ? [remove]
        : [
            remove,
            damage("nowhere", replaceNexthop(nowhere, devices)),
            damage("somebody's", replaceNexthop({ ...nowhere, protocol: 4 }, devices)),
          ];
    }
    case "rule":
      return [damage("delete", deleteRule(resource.spec))];
    case "neighbour":
      return [damage("delete", deleteProxy(resource.spec, devices))];
    case "fou": {
      const remove = deleteListener(FAMILY, resource.spec, devices);
      const other = addListener(FAMILY, { ...resource.spec, ipProtocol: 41 }, devices);
      return [damage("delete", remove), damage("another protocol", remove, other)];
    }
    case "sysctl":
      return [];
  }
}

function toRuleset(objects: readonly NftObject[]): Damage[] {
  const damage = (kind: string, words: string, ...requests: Request[]): Damage => ({
    ...{ kind, words, atOnce: true, requests },
  });
  const sets = objects.filter((object): object is NftSet => object.kind === "set");
  const chains = objects.filter((object): object is Chain => object.kind === "chain");
  const elements = objects.filter((object): object is Element => object.kind === "element");
  const first = sets[0];
  return [
    damage("table", "delete", deleteTable(table)),
    damage(
      "chain",
      "one more",
      newChain(table, { kind: "chain", name: "odd", base: undefined, comment: undefined }),
    ),
    ...(first ? [damage("set", "one more", newSet(table, { ...first, name: "odd" }))] : []),
    ...chains.flatMap((chain) => {
      const { rules, base } = chain;
      const flush = flushChain(table, chain.name);
      const all = [
        damage(
          "chain",
          `another rule in ${chain.name}`,
          newRule(table, chain.name, { expressions: [], comment: "odd" }),
        ),
      ];
      if (rules.length > 0) all.push(damage("chain", `flush ${chain.name}`, flush));
      if (base === undefined) return all;
      return [
        ...all,
        damage("chain", `delete ${chain.name}`, flush, deleteChain(table, chain.name)),
      ];
    }),
    ...sets.flatMap((set) => {
      const own = elements.filter((element) => element.set === set.name);
      if (set.dynamic || own.length === 0) return [];
      const all = own.flatMap((element) => {
        const remove = deleteElements(table, set.name, [element]);
        const key = `${element.key.slice(0, -2)}${element.key.endsWith("01") ? "02" : "01"}`;
        const stranger = newElements(table, set.name, [{ ...element, key }]);
        return [
          damage("element", `delete ${set.name} ${element.key}`, remove),
          ...(own.some((one) => one.key === key)
            ? []
            : [damage("element", `add ${set.name} ${key}`, stranger)]),
        ];
      });
      return [...all, damage("element", `flush ${set.name}`, deleteElements(table, set.name, own))];
    }),
  ];
}
