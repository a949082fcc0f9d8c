import type { Prefix } from "../../net/address.ts";

/** undefined stays so: nothing was written. */
export function withoutRepeats(
  prefixes: readonly Prefix[] | undefined,
): readonly Prefix[] | undefined {
  if (prefixes === undefined) return undefined;
  if (prefixes.length === 1) return Object.freeze(prefixes);
  const unique = new Map(prefixes.map((prefix) => [`${prefix.address}/${prefix.length}`, prefix]));
  return Object.freeze([...unique.values()]);
}
