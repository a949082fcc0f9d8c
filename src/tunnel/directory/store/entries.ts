/**
 * What stands under the prefix, and what it says as a directory: an entry each node, as in a hosts file. Each may
 * be written by somebody else, so one that makes no sense is left out alone, and what it said before stays. Pure.
 */
import { Complaint } from "../../../config/complaint.ts";
import { mostNodes, readNodeText } from "../../../config/hosts.ts";
import type { Node, Nodes } from "../../../config/model.ts";
import { readUnicast } from "../../../config/schema/scalars.ts";
import type { IpAddress } from "../../../net/address.ts";
import { SEEN } from "../publisher.ts";
import { printable, StoreFault } from "./fault.ts";
import type { Change } from "./messages.ts";

/** Characters of an entry; more than any node has to say. */
const LONGEST_ENTRY = 16_384;

export interface Entry {
  readonly address: IpAddress | undefined;
  /** What it said last that made sense. */
  readonly node: Node | undefined;
  readonly fault: string | undefined;
}

export class Entries {
  readonly #prefix: string;
  readonly #byKey = new Map<string, Entry>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Who changed last stands last. @param former Whose good words stand where this makes no sense. */
  take({ key, value }: Change, former?: Entries): void {
    const before = this.#byKey.get(key) ?? former?.of(key);
    this.#byKey.delete(key);
    if (value === undefined) return;
    if (this.#byKey.size >= mostNodes) {
      throw new StoreFault("refused", `more than ${mostNodes} entries`);
    }
    this.#byKey.set(key, this.#read(key, value, before));
  }

  of(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  nodes(): Nodes {
    const nodes = new Map<IpAddress, Node>();
    for (const { address, node } of this.#byKey.values()) {
      if (address !== undefined && node !== undefined) nodes.set(address, node);
    }
    return nodes;
  }

  /** Words for each entry that makes no sense. */
  faults(): string[] {
    return [...this.#byKey.values()].flatMap(({ fault }) => fault ?? []);
  }

  #read(key: string, value: string, before: Entry | undefined): Entry {
    const name = key.slice(this.#prefix.length);
    // What hubs have seen of them is for the nodes themselves.
    if (name.startsWith(SEEN)) return { address: undefined, node: undefined, fault: undefined };
    const address = readUnicast(name);
    if (address instanceof Complaint) {
      const fault = `entry ${JSON.stringify(printable(name.slice(0, 64)))}: ${address.what}`;
      return { address: undefined, node: undefined, fault };
    }
    const node =
      value.length > LONGEST_ENTRY
        ? new Complaint(`more than ${LONGEST_ENTRY} characters`)
        : readNodeText(value);
    if (!(node instanceof Complaint)) return { address, node, fault: undefined };
    const stays = before?.node === undefined ? "" : "; what it said before stays";
    return { address, node: before?.node, fault: `node ${name}: ${node.what}${stays}` };
  }
}
