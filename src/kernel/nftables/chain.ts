/** Chains, without their rules. */
import { attr, nested, s32be, string, table, u32be } from "../../netlink/attributes.ts";
import { NLM_F_CREATE } from "../../netlink/constants.ts";
import type { Message, Request } from "../../netlink/request.ts";
import {
  NF_ACCEPT,
  NF_DROP,
  NFT_MSG_DELCHAIN,
  NFT_MSG_GETCHAIN,
  NFT_MSG_NEWCHAIN,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_CHAIN_TYPE,
  NFTA_CHAIN_USERDATA,
  NFTA_HOOK_HOOKNUM,
  NFTA_HOOK_PRIORITY,
} from "./constants.ts";
import { dumpRequest, familyOf, HEADER_BYTES, numberOf, request } from "./message.ts";
import type { BaseChain, Chain, TableName } from "./objects.ts";
import { required } from "./required.ts";
import { comment } from "./userdata.ts";

const HOOK = table({
  number: attr(NFTA_HOOK_HOOKNUM, u32be, "NFTA_HOOK_HOOKNUM"),
  priority: attr(NFTA_HOOK_PRIORITY, s32be, "NFTA_HOOK_PRIORITY"),
});

const CHAIN = table({
  table: attr(NFTA_CHAIN_TABLE, string, "NFTA_CHAIN_TABLE"),
  name: attr(NFTA_CHAIN_NAME, string, "NFTA_CHAIN_NAME"),
  hook: attr(NFTA_CHAIN_HOOK, nested(HOOK), "NFTA_CHAIN_HOOK"),
  policy: attr(NFTA_CHAIN_POLICY, u32be, "NFTA_CHAIN_POLICY"),
  type: attr(NFTA_CHAIN_TYPE, string, "NFTA_CHAIN_TYPE"),
  comment: attr(NFTA_CHAIN_USERDATA, comment, "NFTA_CHAIN_USERDATA"),
});

const POLICIES = { accept: NF_ACCEPT, drop: NF_DROP } as const;

export function newChain(table: TableName, { name, base, comment }: Omit<Chain, "rules">): Request {
  const payload = CHAIN.encode(
    {
      table: table.name,
      name,
      hook: base && { number: base.hook, priority: base.priority },
      policy: base && POLICIES[base.policy],
      type: base?.type,
      comment,
    },
    HEADER_BYTES,
  );
  const operation = `NFT_MSG_NEWCHAIN ${table.name} ${name}`;
  return request(operation, NFT_MSG_NEWCHAIN, NLM_F_CREATE, table.family, payload);
}

/** With its rules; EBUSY while anything jumps to it. */
export function deleteChain(table: TableName, name: string): Request {
  const payload = CHAIN.encode({ table: table.name, name }, HEADER_BYTES);
  const operation = `NFT_MSG_DELCHAIN ${table.name} ${name}`;
  return request(operation, NFT_MSG_DELCHAIN, 0, table.family, payload);
}

/** Of all tables: this dump takes no filter before Linux 6.9. */
export function dumpChains({ family, name }: TableName): Request {
  return dumpRequest(`NFT_MSG_GETCHAIN ${name}`, NFT_MSG_GETCHAIN, family);
}

/** A chain without rules; undefined for other messages and other tables. */
export function decodeChain(table: TableName, message: Message): Chain | undefined {
  if (numberOf(message) !== NFT_MSG_NEWCHAIN || familyOf(message) !== table.family)
    return undefined;
  const values = CHAIN.decode(message.payload, HEADER_BYTES);
  if (values.table !== table.name) return undefined;
  return {
    kind: "chain",
    name: required(values.name, "NFTA_CHAIN_NAME"),
    base: values.hook && baseOf(values.hook, values.type, values.policy),
    comment: values.comment,
    rules: [],
  };
}

function baseOf(
  hook: { readonly number?: number | undefined; readonly priority?: number | undefined },
  type: string | undefined,
  policy: number | undefined,
): BaseChain {
  return {
    type: type === "route" || type === "nat" ? type : "filter",
    hook: required(hook.number, "NFTA_CHAIN_HOOK/NFTA_HOOK_HOOKNUM"),
    priority: required(hook.priority, "NFTA_CHAIN_HOOK/NFTA_HOOK_PRIORITY"),
    policy: policy === NF_DROP ? "drop" : "accept",
  };
}
