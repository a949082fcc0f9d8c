/** What all nf_tables messages begin with, batches, and the table's generation. */
import { attr, MalformedMessage, string, table, u32be } from "../../netlink/attributes.ts";
import { NLM_F_DUMP } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NFNETLINK_V0,
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_UNSPEC,
  NFT_MSG_GETGEN,
  NFT_MSG_NEWGEN,
  NFTA_GEN_ID,
  NFTA_GEN_PROC_NAME,
  NFTA_GEN_PROC_PID,
  NFTA_TABLE_NAME,
} from "./constants.ts";

/** struct nfgenmsg: family, version, resource id in network order. */
export const HEADER_BYTES = 4;

export function messageType(number: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | number;
}

/** Which NFT_MSG_* it is; undefined for another subsystem's. */
export function numberOf(message: Message): number | undefined {
  return message.type >> 8 === NFNL_SUBSYS_NFTABLES ? message.type & 0xff : undefined;
}

/** `payload` begins with HEADER_BYTES of room: what AttributeTable.encode(values, HEADER_BYTES) gives. */
export function request(
  operation: string,
  number: number,
  flags: number,
  family: number,
  payload: Buffer,
): Request {
  payload.writeUInt8(family, 0);
  payload.writeUInt8(NFNETLINK_V0, 1);
  return { operation, type: messageType(number), flags, payload };
}

export function dumpRequest(
  operation: string,
  number: number,
  family: number,
  payload: Buffer = Buffer.alloc(HEADER_BYTES),
): Request {
  return request(operation, number, NLM_F_DUMP, family, payload);
}

export function familyOf(message: Message): number {
  if (message.payload.length >= HEADER_BYTES) return message.payload.readUInt8(0);
  throw new MalformedMessage(
    `want ${HEADER_BYTES} bytes, got ${message.payload.length}`,
    "nfgenmsg",
  );
}

const BATCH = table({ generation: attr(NFNL_BATCH_GENID, u32be, "NFNL_BATCH_GENID") });
const GENERATION = table({
  id: attr(NFTA_GEN_ID, u32be, "NFTA_GEN_ID"),
  process: attr(NFTA_GEN_PROC_PID, u32be, "NFTA_GEN_PROC_PID"),
  name: attr(NFTA_GEN_PROC_NAME, string, "NFTA_GEN_PROC_NAME"),
});

/** Chains, rules, sets and elements name their table by the number that a table's own name has. */
const WITHIN = table({ table: attr(NFTA_TABLE_NAME, string, "NFTA_TABLE_NAME") });

/** With a generation the kernel refuses the batch (ERESTART) when anything changed since. */
export function batchBegin(generation?: number): Request {
  return batch(
    "NFNL_MSG_BATCH_BEGIN",
    NFNL_MSG_BATCH_BEGIN,
    BATCH.encode({ generation }, HEADER_BYTES),
  );
}

export function batchEnd(): Request {
  return batch("NFNL_MSG_BATCH_END", NFNL_MSG_BATCH_END, Buffer.alloc(HEADER_BYTES));
}

function batch(operation: string, type: number, payload: Buffer): Request {
  payload.writeUInt16BE(NFNL_SUBSYS_NFTABLES, 2);
  return { operation, type, flags: 0, payload };
}

export function getGeneration(): Request {
  const payload = Buffer.alloc(HEADER_BYTES);
  return request("NFT_MSG_GETGEN", NFT_MSG_GETGEN, 0, NFPROTO_UNSPEC, payload);
}

/** The number of the last change to any table; undefined for another message. */
export function decodeGeneration(message: Message): number | undefined {
  if (numberOf(message) !== NFT_MSG_NEWGEN) return undefined;
  return GENERATION.decode(message.payload, HEADER_BYTES).id;
}

/** The table in which this notification says that something has come or gone. */
export function tableOf(message: Message): string | undefined {
  const number = numberOf(message);
  if (number === undefined || number === NFT_MSG_NEWGEN) return undefined;
  return WITHIN.decode(message.payload, HEADER_BYTES).table;
}

export interface Author {
  readonly process: number;
  readonly name: string;
}

/** Who made the change that this notification ends; undefined for any other message. */
export function decodeAuthor(message: Message): Author | undefined {
  if (numberOf(message) !== NFT_MSG_NEWGEN) return undefined;
  const { process = 0, name = "" } = GENERATION.decode(message.payload, HEADER_BYTES);
  return { process, name };
}
