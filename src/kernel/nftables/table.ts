/** Tables. */
import { attr, string, table, u32be } from "../../netlink/attributes.ts";
import { NLM_F_CREATE } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NFT_MSG_DELTABLE,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWTABLE,
  NFTA_TABLE_FLAGS,
  NFTA_TABLE_NAME,
  NFTA_TABLE_USERDATA,
} from "./constants.ts";
import { dumpRequest, familyOf, HEADER_BYTES, numberOf, request } from "./message.ts";
import type { Table, TableName } from "./objects.ts";
import { required } from "./required.ts";
import { comment } from "./userdata.ts";

const TABLE = table({
  name: attr(NFTA_TABLE_NAME, string, "NFTA_TABLE_NAME"),
  flags: attr(NFTA_TABLE_FLAGS, u32be, "NFTA_TABLE_FLAGS"),
  comment: attr(NFTA_TABLE_USERDATA, comment, "NFTA_TABLE_USERDATA"),
});

/** One that exists is left as it is, its comment too. */
export function newTable(family: number, { name, comment }: Table): Request {
  const payload = TABLE.encode({ name, flags: 0, comment }, HEADER_BYTES);
  return request(`NFT_MSG_NEWTABLE ${name}`, NFT_MSG_NEWTABLE, NLM_F_CREATE, family, payload);
}

/** With all that is in it. */
export function deleteTable({ family, name }: TableName): Request {
  const payload = TABLE.encode({ name }, HEADER_BYTES);
  return request(`NFT_MSG_DELTABLE ${name}`, NFT_MSG_DELTABLE, 0, family, payload);
}

export function dumpTables(family: number): Request {
  return dumpRequest("NFT_MSG_GETTABLE", NFT_MSG_GETTABLE, family);
}

/** undefined for other messages and other families. */
export function decodeTable(family: number, message: Message): Table | undefined {
  if (numberOf(message) !== NFT_MSG_NEWTABLE || familyOf(message) !== family) return undefined;
  const values = TABLE.decode(message.payload, HEADER_BYTES);
  return {
    kind: "table",
    name: required(values.name, "NFTA_TABLE_NAME"),
    comment: values.comment,
  };
}
