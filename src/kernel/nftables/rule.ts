/** Rules. */
import { attr, encoded, string, table } from "../../netlink/attributes.ts";
import { NLM_F_APPEND, NLM_F_CREATE } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NFT_MSG_DELRULE,
  NFT_MSG_GETRULE,
  NFT_MSG_NEWRULE,
  NFTA_RULE_CHAIN,
  NFTA_RULE_EXPRESSIONS,
  NFTA_RULE_TABLE,
  NFTA_RULE_USERDATA,
} from "./constants.ts";
import { ExpressionEncoder, expressions } from "./expression.ts";
import { dumpRequest, familyOf, HEADER_BYTES, numberOf, request } from "./message.ts";
import type { Rule, TableName } from "./objects.ts";
import { required } from "./required.ts";
import { comment } from "./userdata.ts";

const RULE = table({
  table: attr(NFTA_RULE_TABLE, string, "NFTA_RULE_TABLE"),
  chain: attr(NFTA_RULE_CHAIN, string, "NFTA_RULE_CHAIN"),
  expressions: attr(NFTA_RULE_EXPRESSIONS, expressions, "NFTA_RULE_EXPRESSIONS"),
  comment: attr(NFTA_RULE_USERDATA, comment, "NFTA_RULE_USERDATA"),
});

/** The same for writing. */
const NEW_RULE = table({
  ...RULE.attributes,
  expressions: attr(NFTA_RULE_EXPRESSIONS, encoded, "NFTA_RULE_EXPRESSIONS"),
});

/** At the end of its chain. */
export function newRule(
  table: TableName,
  chain: string,
  rule: Rule,
  encoder = new ExpressionEncoder(),
): Request {
  const expressions = encoder.encode(rule.expressions);
  const payload = NEW_RULE.encode(
    { table: table.name, chain, expressions, comment: rule.comment },
    HEADER_BYTES,
  );
  const operation = `NFT_MSG_NEWRULE ${table.name} ${chain}`;
  const flags = NLM_F_CREATE | NLM_F_APPEND;
  return request(operation, NFT_MSG_NEWRULE, flags, table.family, payload);
}

/** All rules of a chain. */
export function flushChain(table: TableName, chain: string): Request {
  const payload = RULE.encode({ table: table.name, chain }, HEADER_BYTES);
  const operation = `NFT_MSG_DELRULE ${table.name} ${chain}`;
  return request(operation, NFT_MSG_DELRULE, 0, table.family, payload);
}

export function dumpRules({ family, name }: TableName): Request {
  const payload = RULE.encode({ table: name }, HEADER_BYTES);
  return dumpRequest(`NFT_MSG_GETRULE ${name}`, NFT_MSG_GETRULE, family, payload);
}

/** A dump gives the rules of a chain in their order. undefined for other messages and other tables. */
export function decodeRule(
  table: TableName,
  message: Message,
): { readonly chain: string; readonly rule: Rule } | undefined {
  if (numberOf(message) !== NFT_MSG_NEWRULE || familyOf(message) !== table.family) return undefined;
  const values = RULE.decode(message.payload, HEADER_BYTES);
  if (values.table !== table.name) return undefined;
  return {
    chain: required(values.chain, "NFTA_RULE_CHAIN"),
    rule: { expressions: values.expressions ?? [], comment: values.comment },
  };
}
