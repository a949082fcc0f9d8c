/** nf_tables: a batch counts whole or not at all. */
import { constants } from "node:os";
import { decodeChain } from "../../../src/kernel/nftables/chain.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFPROTO_IPV4,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELTABLE,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETSET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWGEN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
  NFTA_GEN_PROC_NAME,
  NFTA_GEN_PROC_PID,
} from "../../../src/kernel/nftables/constants.ts";
import { decodeElements, newElements } from "../../../src/kernel/nftables/element.ts";
import { messageType, numberOf } from "../../../src/kernel/nftables/message.ts";
import type { Element, TableName } from "../../../src/kernel/nftables/objects.ts";
import { decodeRule } from "../../../src/kernel/nftables/rule.ts";
import { attr, table as attributes, string, u32be } from "../../../src/netlink/attributes.ts";
import { NLM_F_ACK } from "../../../src/netlink/constants.ts";
import type { Message } from "../../../src/netlink/request.ts";
import { type Family, Refusal } from "./linux.ts";

const { EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } = constants.errno;

const HEADER = 4;
/** Of tables, chains (3), rules (2: the chain), sets (2) and lists of elements (2: the set). */
const NAMES = attributes({ table: attr(1, string, "table"), second: attr(2, string, "second") });
const CHAIN = attributes({ name: attr(3, string, "NFTA_CHAIN_NAME") });

const GENERATION = attributes({
  process: attr(NFTA_GEN_PROC_PID, u32be, "NFTA_GEN_PROC_PID"),
  name: attr(NFTA_GEN_PROC_NAME, string, "NFTA_GEN_PROC_NAME"),
});

/** What ends the notifications of a batch. */
export function newGeneration(process: number): Message {
  return message(NFT_MSG_NEWGEN, GENERATION.encode({ process, name: "nft" }, HEADER));
}

interface KeptSet {
  readonly payload: Buffer;
  readonly elements: Map<string, Element>;
}

interface KeptChain {
  readonly payload: Buffer;
  rules: Buffer[];
}

interface KeptTable {
  readonly payload: Buffer;
  readonly chains: Map<string, KeptChain>;
  readonly sets: Map<string, KeptSet>;
}

export class Tables implements Family {
  #tables = new Map<string, KeptTable>();

  get state(): string[] {
    return [...this.#tables.keys()].flatMap((name) => this.stateOf(name));
  }

  /** A table and what is in it. */
  stateOf(name: string): string[] {
    const kept = this.#tables.get(name);
    if (kept === undefined) return [];
    const { payload, chains, sets } = kept;
    return [
      `table ${name} ${payload.toString("hex")}`,
      ...[...chains].map(([chain, kept]) => {
        const rules = kept.rules.map((rule) => {
          const of = { ...message(NFT_MSG_NEWRULE, rule) };
          return JSON.stringify(decodeRule(tableName(name), of)?.rule);
        });
        const words = JSON.stringify(
          decodeChain(tableName(name), message(NFT_MSG_NEWCHAIN, kept.payload)),
        );
        return `chain ${chain} ${words} ${rules.join("; ")}`;
      }),
      ...[...sets].flatMap(([set, kept]) => [
        `set ${set} ${kept.payload.toString("hex")}`,
        ...[...kept.elements.values()].map(
          ({ key, data, timeout }) => `element ${set} ${key} ${JSON.stringify(data)} ${timeout}`,
        ),
      ]),
    ];
  }

  /** What `nft flush ruleset` does. */
  flush(): void {
    this.#tables.clear();
  }

  dump(asked: Message): Message[] {
    const { table = "", second = "" } = NAMES.decode(asked.payload, HEADER);
    const kept = this.#tables.get(table);
    switch (numberOf(asked)) {
      case NFT_MSG_GETTABLE:
        return [...this.#tables.values()].map(({ payload }) => message(NFT_MSG_NEWTABLE, payload));
      case NFT_MSG_GETCHAIN:
        return [...this.#tables.values()].flatMap(({ chains }) =>
          [...chains.values()].map(({ payload }) => message(NFT_MSG_NEWCHAIN, payload)),
        );
      case NFT_MSG_GETRULE:
        return [...(kept?.chains.values() ?? [])].flatMap(({ rules }) =>
          rules.map((payload) => message(NFT_MSG_NEWRULE, payload)),
        );
      case NFT_MSG_GETSET:
        if (kept === undefined) throw new Refusal(ENOENT);
        return [...kept.sets.values()].map(({ payload }) => message(NFT_MSG_NEWSET, payload));
      case NFT_MSG_GETSETELEM: {
        const elements = kept?.sets.get(second)?.elements;
        if (elements === undefined) throw new Refusal(ENOENT);
        if (elements.size === 0) return [];
        const { payload } = newElements(tableName(table), second, [...elements.values()]);
        return [message(NFT_MSG_NEWSETELEM, Buffer.from(payload))];
      }
      default:
        throw new Refusal(EOPNOTSUPP);
    }
  }

  request(): Message[] {
    throw new Refusal(EOPNOTSUPP);
  }

  /** @param refused The errno that a message is to be refused with; 0: as it would be. */
  batch(
    messages: readonly Message[],
    refused: (message: Message) => number,
  ): { readonly to: Message; readonly errno: number }[] {
    const before = this.#tables;
    this.#tables = copyOf(before);
    const answers: { to: Message; errno: number }[] = [];
    let failed = false;
    for (const one of messages) {
      let errno = refused(one);
      if (one.type === NFNL_MSG_BATCH_END) {
        // What fails at the end is the commit, and is said with the number of the beginning, before all else.
        const [begin] = messages;
        if (errno !== 0 && begin !== undefined) answers.unshift({ to: begin, errno });
        failed ||= errno !== 0;
        continue;
      }
      if (errno === 0 && one.type !== NFNL_MSG_BATCH_BEGIN) {
        errno = this.#try(one);
      }
      failed ||= errno !== 0;
      if (errno !== 0 || (one.flags & NLM_F_ACK) !== 0) answers.push({ to: one, errno });
      // The kernel looks no further than a beginning that it does not like.
      if (errno !== 0 && one.type === NFNL_MSG_BATCH_BEGIN) break;
    }
    const ends = messages.at(-1)?.type === NFNL_MSG_BATCH_END;
    if (failed || !ends) this.#tables = before;
    return answers;
  }

  #try(one: Message): number {
    try {
      this.#change(one);
      return 0;
    } catch (error) {
      if (error instanceof Refusal) return error.errno;
      throw error;
    }
  }

  #change(one: Message): void {
    const payload = Buffer.from(one.payload);
    const { table: name = "", second = "" } = NAMES.decode(payload, HEADER);
    const number = numberOf(one);
    if (number === NFT_MSG_NEWTABLE) {
      if (!this.#tables.has(name)) {
        this.#tables.set(name, { payload, chains: new Map(), sets: new Map() });
      }
      return;
    }
    const table = this.#tables.get(name);
    if (table === undefined) throw new Refusal(ENOENT);
    const { chains, sets } = table;
    switch (number) {
      case NFT_MSG_DELTABLE:
        this.#tables.delete(name);
        return;
      case NFT_MSG_NEWCHAIN: {
        const chain = CHAIN.decode(payload, HEADER).name ?? "";
        if (!chains.has(chain)) chains.set(chain, { payload, rules: [] });
        return;
      }
      case NFT_MSG_DELCHAIN: {
        const chain = CHAIN.decode(payload, HEADER).name ?? "";
        if (!chains.has(chain)) throw new Refusal(ENOENT);
        if (uses(table, `"chain":${JSON.stringify(chain)}`, name)) throw new Refusal(EBUSY);
        chains.delete(chain);
        return;
      }
      case NFT_MSG_NEWRULE: {
        const chain = chains.get(second);
        if (chain === undefined) throw new Refusal(ENOENT);
        chain.rules = [...chain.rules, payload];
        return;
      }
      case NFT_MSG_DELRULE: {
        const chain = chains.get(second);
        if (chain === undefined) throw new Refusal(ENOENT);
        chain.rules = [];
        return;
      }
      case NFT_MSG_NEWSET:
        if (!sets.has(second)) sets.set(second, { payload, elements: new Map() });
        return;
      case NFT_MSG_DELSET:
        if (!sets.delete(second)) throw new Refusal(ENOENT);
        if (uses(table, `"set":${JSON.stringify(second)}`, name)) throw new Refusal(EBUSY);
        return;
      case NFT_MSG_NEWSETELEM:
      case NFT_MSG_DELSETELEM: {
        const elements = sets.get(second)?.elements;
        if (elements === undefined) throw new Refusal(ENOENT);
        const listed = decodeElements(tableName(name), message(NFT_MSG_NEWSETELEM, payload));
        for (const element of listed) {
          const there = elements.get(element.key);
          if (number === NFT_MSG_DELSETELEM) {
            if (!elements.delete(element.key)) throw new Refusal(ENOENT);
          } else if (there === undefined) elements.set(element.key, element);
          else if (JSON.stringify(there.data) !== JSON.stringify(element.data)) {
            throw new Refusal(EEXIST);
          }
        }
        return;
      }
      default:
        throw new Refusal(EINVAL);
    }
  }
}

function uses({ chains, sets }: KeptTable, what: string, name: string): boolean {
  for (const { rules } of chains.values()) {
    for (const rule of rules) {
      const decoded = decodeRule(tableName(name), message(NFT_MSG_NEWRULE, rule));
      if (JSON.stringify(decoded?.rule).includes(what)) return true;
    }
  }
  for (const { elements } of sets.values()) {
    for (const { data } of elements.values()) {
      if (JSON.stringify(data ?? "").includes(what)) return true;
    }
  }
  return false;
}

function tableName(name: string): TableName {
  return { family: NFPROTO_IPV4, name };
}

function message(number: number, payload: Buffer): Message {
  return { type: messageType(number), flags: 0, sequence: 0, payload };
}

function copyOf(tables: ReadonlyMap<string, KeptTable>): Map<string, KeptTable> {
  return new Map(
    [...tables].map(([name, { payload, chains, sets }]) => [
      name,
      {
        payload,
        chains: new Map([...chains].map(([key, chain]) => [key, { ...chain }])),
        sets: new Map(
          [...sets].map(([key, set]) => [key, { ...set, elements: new Map(set.elements) }]),
        ),
      },
    ]),
  );
}
