/** What a program has sent to the kernel: the datagrams that it wrote down itself, and what they ask for. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe as describeGate } from "../../../src/apply/nftables/describe.ts";
import { decodeAddress } from "../../../src/kernel/address.ts";
import { decodeListener } from "../../../src/kernel/fou.ts";
import { decodeLink } from "../../../src/kernel/link.ts";
import { decodeNexthop } from "../../../src/kernel/nexthop.ts";
import { decodeChain } from "../../../src/kernel/nftables/chain.ts";
import { decodeElements } from "../../../src/kernel/nftables/element.ts";
import type { NftObject, NftSet } from "../../../src/kernel/nftables/objects.ts";
import { decodeSet } from "../../../src/kernel/nftables/set.ts";
import { decodeTable } from "../../../src/kernel/nftables/table.ts";
import { decodeRoute } from "../../../src/kernel/route.ts";
import { decodeRule } from "../../../src/kernel/rule.ts";
import type { Devices } from "../../../src/net/objects.ts";
import { walkMessages } from "../../../src/netlink/messages.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { describe } from "../../../src/plan/describe.ts";
import type { Resource } from "../../../src/plan/resources.ts";

export interface Datagram {
  /** NETLINK_* */
  readonly protocol: number;
  readonly messages: readonly Message[];
}

/** The environment of a program that writes down what it sends. */
export function recording(file: string): Record<string, string> {
  const recorder = fileURLToPath(new URL("./record-messages.cjs", import.meta.url));
  return { NODE_OPTIONS: `--require=${recorder}`, IPIPOUD_RECORD: file };
}

export async function recorded(file: string): Promise<Datagram[]> {
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
  return lines.filter(Boolean).map((line) => {
    const [protocol, hex = ""] = line.split(" ");
    const messages: Message[] = [];
    walkMessages(Buffer.from(hex, "hex"), (message) => messages.push(message));
    return { protocol: Number(protocol), messages };
  });
}

// Numbers as in include/uapi/linux: rtnetlink.h, genetlink.h, fou.h, nfnetlink.h, nf_tables.h.
const ROUTE = 0;
const NETFILTER = 12;
const GENERIC = 16;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const FOU_CMD_GET = 3;
const NFT = 10 << 8;
const NFT_QUESTIONS = [1, 4, 7, 10, 13, 16].map((number) => NFT | number);

/** Whether the kernel could change anything because of it. */
export function changes({ protocol, messages }: Datagram): boolean {
  const types = messages.map(({ type }) => type);
  switch (protocol) {
    case ROUTE:
      return types.some((type) => type % 4 !== 2);
    case GENERIC:
      // CTRL_CMD_GETFAMILY, FOU_CMD_GET
      return messages.some(({ payload }) => payload[0] !== FOU_CMD_GET);
    case NETFILTER:
      // A batch without its end is taken back.
      if (types[0] === BATCH_BEGIN) return types.includes(BATCH_END);
      return types.some((type) => !NFT_QUESTIONS.includes(type));
    default:
      return true;
  }
}

/** What is wanted, in the words of `--check`, in the order in which it was sent. */
export function inWords(
  datagrams: readonly Datagram[],
  index: (name: string) => number | undefined,
): string[] {
  const words: string[] = [];
  const names = new Map<number, string>();
  const devices: Devices = { index, name: (number) => names.get(number) ?? nameOf(number) };
  const nameOf = (number: number): string | undefined =>
    ["lo", "eth0"].find((name) => index(name) === number);
  const sets = new Map<string, NftSet>();
  const gate = (object: NftObject): void => {
    const set = object.kind === "element" ? sets.get(object.set) : undefined;
    words.push(`nftables ${describeGate(object, set)}`);
  };
  for (const { protocol, messages } of datagrams.filter(changes)) {
    for (const message of messages) {
      if (protocol === ROUTE) words.push(...routeWords(message, devices, names));
      else if (protocol === GENERIC) {
        const family = { name: "fou", id: message.type, version: 1 };
        // Made and listed by the same attributes.
        const payload = Buffer.from(message.payload);
        payload[0] = FOU_CMD_GET;
        const spec = decodeListener(family, { ...message, payload }, devices);
        if (spec !== undefined)
          words.push(`fou ${describe({ object: "fou", tunnel: null, spec })}`);
      } else for (const object of gateObjects(message, sets)) gate(object);
    }
  }
  return words;
}

function routeWords(message: Message, devices: Devices, names: Map<number, string>): string[] {
  const link = decodeLink(message, devices);
  if (link !== undefined) {
    // Its alias and "up" follow as messages of their own, by the index.
    names.set(link.index, link.name);
    const { name, mtu, ipip, alias = "" } = link;
    if (ipip === undefined) return [];
    return [words({ object: "link", tunnel: null, spec: { name, mtu, ipip, alias, up: true } })];
  }
  const address = decodeAddress(message, devices);
  if (address !== undefined) return [words({ object: "address", tunnel: null, spec: address })];
  const route = decodeRoute(message, devices);
  if (route !== undefined) return [words({ object: "route", tunnel: null, spec: route })];
  const rule = decodeRule(message);
  if (rule !== undefined) return [words({ object: "rule", tunnel: null, spec: rule })];
  const nexthop = decodeNexthop(message, devices);
  if (nexthop !== undefined) return [words({ object: "nexthop", tunnel: null, spec: nexthop })];
  return [];
}

function words(resource: Resource): string {
  return `${resource.object} ${describe(resource)}`;
}

/** Rules belong to their chain. */
function gateObjects(message: Message, sets: Map<string, NftSet>): NftObject[] {
  if (message.type >> 8 !== NFT >> 8) return [];
  const table = { family: 2, name: "ipipou" };
  const set = decodeSet(table, message);
  if (set !== undefined) sets.set(set.name, set);
  const one = decodeTable(2, message) ?? decodeChain(table, message) ?? set;
  return one === undefined ? decodeElements(table, message) : [one];
}
