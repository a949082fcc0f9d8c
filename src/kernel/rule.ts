/**
 * Routing policy rules: RTM_*RULE, struct fib_rule_hdr (include/uapi/linux/fib_rules.h,
 * net/core/fib_rules.c). Encoded by the package `netlink`.
 */
import { formatRuleMessage, type RuleMessage } from "netlink/dist/rt/structs.js";
import { type Family, familyOf, type IpAddress, type Prefix } from "../net/address.ts";
import type { Rule } from "../net/objects.ts";
import { attr, encoded, ip, readU32, table, u8, u32, walk } from "../netlink/attributes.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../netlink/constants.ts";
import type { Message, Request } from "../netlink/request.ts";
import {
  AF_INET,
  AF_INET6,
  addressBytes,
  anyAddress,
  decoding,
  familyNumber,
  formatted,
  requireHeader,
  u32Bytes,
} from "./rtnetlink.ts";

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;

export const FR_ACT_TO_TBL = 1;

export const FIB_RULE_INVERT = 2;

/** sizeof(struct fib_rule_hdr): family, dst_len, src_len, tos, table, 2 reserved, action, flags (u32). */
export const FIB_RULE_HDR = 12;

/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing: -1. */
const SUPPRESS_NOTHING = 0xffff_ffff;

export const RULE = table({
  to: attr(1, ip, "FRA_DST"),
  from: attr(2, ip, "FRA_SRC"),
  priority: attr(6, u32, "FRA_PRIORITY"),
  fwmark: attr(10, u32, "FRA_FWMARK"),
  suppressPrefixLength: attr(14, u32, "FRA_SUPPRESS_PREFIXLEN"),
  table: attr(15, u32, "FRA_TABLE"),
  fwmask: attr(16, u32, "FRA_FWMASK"),
  protocol: attr(21, u8, "FRA_PROTOCOL"),
});

/** Selectors that {@link Rule} has no words for: a rule with one of them is none of ours. */
export const FOREIGN_SELECTORS = table({
  incoming: attr(3, encoded, "FRA_IIFNAME"),
  target: attr(4, encoded, "FRA_GOTO"),
  flow: attr(11, encoded, "FRA_FLOW"),
  tunnel: attr(12, encoded, "FRA_TUN_ID"),
  outgoing: attr(17, encoded, "FRA_OIFNAME"),
  l3mdev: attr(19, encoded, "FRA_L3MDEV"),
  users: attr(20, encoded, "FRA_UID_RANGE"),
  ipProtocol: attr(22, encoded, "FRA_IP_PROTO"),
  sourcePorts: attr(23, encoded, "FRA_SPORT_RANGE"),
  destinationPorts: attr(24, encoded, "FRA_DPORT_RANGE"),
});

const FOREIGN: ReadonlySet<number> = new Set(
  Object.values(FOREIGN_SELECTORS.attributes).map(({ number }) => number),
);

/** EEXIST: there is one that is the same in everything. */
export function newRule(rule: Rule, family: Family = "ipv4"): Request {
  const payload = rulePayload(rule, family);
  const operation = `RTM_NEWRULE ${describe(rule)}`;
  return { operation, type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

/** ENOENT: there is none that is like it in everything said here. */
export function deleteRule(rule: Rule, family: Family = "ipv4"): Request {
  const payload = rulePayload(rule, family);
  return { operation: `RTM_DELRULE ${describe(rule)}`, type: RTM_DELRULE, flags: 0, payload };
}

export function dumpRules(family: Family = "ipv4"): Request {
  const payload = format({ family: familyNumber(family) }, {});
  return { operation: "RTM_GETRULE", type: RTM_GETRULE, flags: 0, payload };
}

/**
 * Of RTM_NEWRULE and RTM_DELRULE; undefined for anything else, and for rules that {@link Rule} can't tell
 * whole: another action than to look into a table, or a selector beside addresses and mark.
 */
export function decodeRule(message: Message): Rule | undefined {
  if (message.type !== RTM_NEWRULE && message.type !== RTM_DELRULE) return undefined;
  const { payload } = message;
  requireHeader(message, "RTM_NEWRULE", FIB_RULE_HDR);
  const [family = 0, toLength = 0, fromLength = 0, tos = 0, shortTable = 0] = payload;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (payload[7] !== FR_ACT_TO_TBL || tos !== 0) return undefined;
  return decoding("RTM_NEWRULE", () => {
    if (hasForeignSelector(payload)) return undefined;
    const values = RULE.decode(payload, FIB_RULE_HDR);
    const mark = values.fwmark ?? 0;
    const mask = values.fwmask ?? (mark === 0 ? 0 : 0xffff_ffff);
    const suppress = values.suppressPrefixLength ?? SUPPRESS_NOTHING;
    return {
      priority: values.priority ?? 0,
      from: prefix(values.from, fromLength, family),
      to: prefix(values.to, toLength, family),
      fwmark: mask === 0 ? undefined : { value: mark, mask },
      invert: (readU32(payload, 8) & FIB_RULE_INVERT) !== 0,
      table: values.table ?? shortTable,
      suppressPrefixLength: suppress === SUPPRESS_NOTHING ? undefined : suppress,
      protocol: values.protocol ?? 0,
    };
  });
}

function hasForeignSelector(payload: Buffer): boolean {
  let found = false;
  walk(payload, FIB_RULE_HDR, (number) => {
    found ||= FOREIGN.has(number);
  });
  return found;
}

function prefix(
  address: IpAddress | undefined,
  length: number,
  family: number,
): Prefix | undefined {
  if (address === undefined && length === 0) return undefined;
  return { address: address ?? anyAddress(family), length };
}

function describe(rule: Rule): string {
  return `priority ${rule.priority} table ${rule.table}`;
}

function rulePayload(rule: Rule, family: Family): Buffer {
  const { from, to, fwmark, suppressPrefixLength } = rule;
  const known = from ?? to;
  const data: RuleMessage["data"] = {
    family: familyNumber(known === undefined ? family : familyOf(known.address)),
    dstLen: to?.length ?? 0,
    srcLen: from?.length ?? 0,
    table: rule.table < 256 ? rule.table : 0,
    action: FR_ACT_TO_TBL,
    flags: rule.invert ? { invert: true } : {},
  };
  const attrs: RuleMessage["attrs"] = {
    priority: rule.priority,
    protocol: rule.protocol,
  };
  // The header's field holds 8 bits.
  if (rule.table >= 256) attrs.table = rule.table;
  if (to !== undefined) attrs.dst = addressBytes(to.address);
  if (from !== undefined) attrs.src = addressBytes(from.address);
  if (fwmark !== undefined) {
    attrs.fwmark = fwmark.value;
    attrs.fwmask = fwmark.mask;
  }
  if (suppressPrefixLength !== undefined) attrs.suppressPrefixlen = u32Bytes(suppressPrefixLength);
  return format(data, attrs);
}

function format(data: RuleMessage["data"], attrs: RuleMessage["attrs"]): Buffer {
  return formatted((out) => formatRuleMessage({ kind: "rule", data, attrs }, out));
}
