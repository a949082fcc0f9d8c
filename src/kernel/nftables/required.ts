import { MalformedMessage } from "../../netlink/attributes.ts";

/** For attributes that the kernel always sends. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new MalformedMessage("missing", name);
  return value;
}
