/** What to do about a kernel that lacks an expression of our rules. Pure. */
import { unknownExpression } from "../../kernel/nftables/unknown.ts";
import type { KernelError } from "../../netlink/errors.ts";

/** Modules of expressions that are not part of nf_tables itself and are not called as they are. */
const MODULES: ReadonlyMap<string, string> = new Map([["notrack", "nft_ct"]]);

/** The mend, for ENOENT to a new rule. */
export function lackingExpression(error: KernelError): string {
  const expression = unknownExpression(error);
  if (expression === undefined) {
    return "the kernel lacks an nf_tables expression: `modprobe -a nft_queue nft_limit nft_ct`";
  }
  const module = MODULES.get(expression) ?? `nft_${expression}`;
  return `the kernel has no nf_tables expression \`${expression}\`: \`modprobe ${module}\``;
}
