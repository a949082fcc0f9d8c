/** Which expression of a rule the kernel does not know: it says where in the request, not which. */
import { attr, MalformedMessage, readU16, string, table } from "../../netlink/attributes.ts";
import type { KernelError } from "../../netlink/errors.ts";
import { NFTA_EXPR_NAME } from "./constants.ts";

const EXPRESSION = table({ name: attr(NFTA_EXPR_NAME, string, "NFTA_EXPR_NAME") });

/** Bytes of a nlattr. */
const HEADER = 4;

/**
 * For ENOENT to NFT_MSG_NEWRULE, whose extended ACK points at the NFTA_LIST_ELEM of the expression
 * (nf_tables_newrule); undefined where it points nowhere or at something else.
 */
export function unknownExpression({ operation, code, refused }: KernelError): string | undefined {
  if (code !== "ENOENT" || !operation.startsWith("NFT_MSG_NEWRULE ")) return undefined;
  if (refused === undefined || refused.length < HEADER) return undefined;
  const bytes = Buffer.from(refused);
  try {
    return EXPRESSION.decode(bytes.subarray(HEADER, readU16(bytes, 0))).name;
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}
