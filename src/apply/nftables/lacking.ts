/** What to do about a kernel that lacks an expression of our rules. Pure. */
import { unknownExpression } from "../../kernel/nftables/unknown.ts";
import { KernelError } from "../../netlink/errors.ts";

/** Modules of expressions that are not part of nf_tables itself and are not called as they are. */
const MODULES: ReadonlyMap<string, string> = new Map([["notrack", "nft_ct"]]);

/** The chain whose rule the kernel has refused for an expression that it lacks; undefined: it is something else. */
export function lackingIn(error: unknown): string | undefined {
  if (!(error instanceof KernelError) || error.code !== "ENOENT") return undefined;
  const [message, , chain] = error.operation.split(" ");
  return message === "NFT_MSG_NEWRULE" ? chain : undefined;
}

/** The mend, for ENOENT to a new rule. */
export function lackingExpression(error: KernelError): string {
  const expression = unknownExpression(error);
  if (expression === undefined) {
    return "the kernel lacks an nf_tables expression: `modprobe -a nft_queue nft_limit nft_ct`";
  }
  const module = MODULES.get(expression) ?? `nft_${expression}`;
  return `the kernel has no nf_tables expression \`${expression}\`: \`modprobe ${module}\``;
}
