/**
 * What an nf_tables table holds, as values without handles and registers: what was sent and what the
 * kernel dumps compare equal. All names are within one table ({@link TableName}).
 */
import type { Data, Hex } from "./data.ts";
import type { Expression } from "./expression.ts";
import type { StatefulExpression } from "./expressions/stateful.ts";

export interface TableName {
  /** NFPROTO_* */
  readonly family: number;
  readonly name: string;
}

export interface Table {
  readonly kind: "table";
  readonly name: string;
  /** `nft list` shows it; at most 253 bytes. */
  readonly comment: string | undefined;
}

export interface BaseChain {
  readonly type: "filter" | "route" | "nat";
  /** NF_INET_* */
  readonly hook: number;
  /** Signed; lower runs first. */
  readonly priority: number;
  readonly policy: "accept" | "drop";
}

/** A chain with its rules, in order. */
export interface Chain {
  readonly kind: "chain";
  readonly name: string;
  /** undefined: only reached by jumps. */
  readonly base: BaseChain | undefined;
  readonly comment: string | undefined;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly expressions: readonly Expression[];
  readonly comment: string | undefined;
}

/** A field of a key or the data of a map: nft's type, which decides how it is printed, and its bytes. */
export interface Field {
  readonly type: FieldType;
  readonly bytes: number;
}

export type FieldType =
  | "ipv4_addr"
  | "inet_service"
  | "inet_proto"
  | "ifname"
  | "mark"
  | "integer"
  | "verdict"
  | "other";

export interface NftSet {
  readonly kind: "set";
  readonly name: string;
  /**
   * Several: a concatenation; in an element's key each is padded to 4 bytes. Only nft knows of fields,
   * the kernel sees bytes.
   */
  readonly key: readonly Field[];
  /** What a map gives; undefined for a set. */
  readonly data: Field | undefined;
  /** Elements may expire. */
  readonly timeouts: boolean;
  /** Milliseconds for elements that say nothing; 0: they stay. */
  readonly defaultTimeout: number;
  /** Rules may add elements (NFT_SET_EVAL). */
  readonly dynamic: boolean;
  /** Elements at most; 0: no limit. A fixed size without timeouts makes a look-up cheaper. */
  readonly size: number;
  /** Every element gets its own. */
  readonly expressions: readonly StatefulExpression[];
  /** What nft wants to know about types: see typeof.ts. */
  readonly userdata: Hex;
}

export interface Element {
  readonly kind: "element";
  readonly set: string;
  /** Fields back to back, each padded to 4 bytes in a concatenation. */
  readonly key: Hex;
  /** What a map gives for the key. */
  readonly data: Data | undefined;
  /** Milliseconds; 0: stays. */
  readonly timeout: number;
  /** Milliseconds left of it; undefined: the whole, or not known. */
  readonly expires: number | undefined;
  /** As the kernel reports it. */
  readonly counter: { readonly packets: bigint; readonly bytes: bigint } | undefined;
}

export type NftObject = Table | Chain | NftSet | Element;
