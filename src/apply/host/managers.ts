/** Other programs that look after a host's network, from their files. Pure. */
import type { ForeignKind } from "./facts.ts";

const KEYS: Readonly<Record<ForeignKind, string>> = {
  routes: "ManageForeignRoutes",
  rules: "ManageForeignRoutingPolicyRules",
  nexthops: "ManageForeignNextHops",
};

/**
 * What of others systemd-networkd takes away, as networkd.conf(5) has it: all, unless it says otherwise.
 * @param texts Of networkd.conf and its drop-ins, the strongest last.
 */
export function managedByNetworkd(texts: readonly string[]): ForeignKind[] {
  const settings = new Map<string, string>();
  for (const text of texts) {
    let section = "";
    for (const line of text.split("\n")) {
      section = /^\s*\[(.+)\]\s*$/.exec(line)?.[1] ?? section;
      const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (section === "Network" && key !== undefined) settings.set(key, value ?? "");
    }
  }
  return (["routes", "rules", "nexthops"] as const).filter((kind) => {
    const value = settings.get(KEYS[kind])?.toLowerCase() ?? "";
    return !/^(no|n|false|f|off|0)$/.test(value);
  });
}

/** The `interface-name` of a NetworkManager profile in its keyfile form (nm-settings-keyfile(5)). */
export function interfaceOfProfile(text: string): string | undefined {
  const section = /^\[connection\]\s*$([\s\S]*?)(?=^\[|(?![\s\S]))/m.exec(text)?.[1] ?? "";
  return /^interface-name\s*=\s*(\S+)\s*$/m.exec(section)?.[1];
}
