/** What a start made in the kernel, found by `ip` and `nft` alone, to be held against what `--check` foretold. */
import type { Host } from "./host.ts";

/** By a name for people: what a step that speaks of it must look like. */
type Made = Record<string, RegExp>;

type Json = Readonly<Record<string, unknown>>;

export interface Steps {
  /** Looks again: what is there now and was not before. */
  taken(): Promise<{ readonly patterns: Readonly<Made>; readonly count: number }>;
}

export async function stepsSince(host: Host): Promise<Steps> {
  const before = await look(host);
  return {
    async taken() {
      const now = Object.entries(await look(host)).filter(([name]) => !(name in before));
      return { patterns: Object.fromEntries(now), count: now.length };
    },
  };
}

async function look(host: Host): Promise<Made> {
  const json = async (...command: [string, ...string[]]): Promise<Json[]> =>
    JSON.parse((await host.run(...command)) || "[]") as Json[];
  const made: Made = {};
  const note = (name: string, ...words: unknown[]): void => {
    const pattern = words.map((word) => literally(String(word))).join("(?![^ ]).*? ");
    made[name] = new RegExp(`^${pattern}(?![^ ])`);
  };
  for (const link of await json("ip", "-d", "-j", "addr", "show")) {
    const name = String(link["ifname"]);
    note(`link ${name}`, "link", name);
    for (const { local, address, prefixlen } of (link["addr_info"] as Json[]) ?? []) {
      const words =
        address === undefined ? [`${local}/${prefixlen}`] : [local, `${address}/${prefixlen}`];
      note(`address ${words.join(" ")} on ${name}`, "address", ...words, name);
    }
  }
  // Those of the kernel itself come with addresses.
  for (const route of await json("ip", "-d", "-j", "route", "show", "table", "all")) {
    if (route["protocol"] === "kernel") continue;
    const { type, dst, table = "main", metric = 0, nhid, dev } = route;
    const destination =
      dst === "default" ? "0.0.0.0/0" : /\//.test(String(dst)) ? dst : `${dst}/32`;
    // One through a nexthop object takes over that object's type.
    const plain = nhid === undefined && type !== "unicast";
    const words = nhid !== undefined ? [nhid] : plain ? [] : [dev];
    const kind = plain ? [type] : [];
    const elsewhere = table === "main" ? [] : [table];
    const name = `route ${type} ${destination} ${table} ${metric}`;
    note(name, "route", ...kind, destination, ...words, ...elsewhere);
  }
  for (const { priority } of await json("ip", "-d", "-j", "rule", "show")) {
    note(`rule ${priority}`, "rule", "priority", priority);
  }
  for (const { id } of await json("ip", "-d", "-j", "nexthop", "show")) {
    note(`nexthop ${id}`, "nexthop", "id", id);
  }
  for (const listener of (await host.run("ip", "fou", "show")).split("\n")) {
    const port = /port (\d+)/.exec(listener)?.[1];
    if (port !== undefined) note(`fou ${listener}`, "fou", "port", port);
  }
  const { nftables } = JSON.parse(await host.run("nft", "-j", "list", "ruleset")) as {
    nftables: Record<string, Json>[];
  };
  for (const object of nftables) {
    const [kind = "", { name, flags, elem } = {}] = Object.entries(object)[0] ?? [];
    if (!["table", "chain", "set", "map"].includes(kind)) continue;
    note(`${kind} ${name}`, "nftables", kind, ...(kind === "table" ? ["ip", name] : [name]));
    if (Array.isArray(flags) && flags.includes("dynamic")) continue;
    ((elem as unknown[]) ?? []).forEach((_, index) => {
      note(`element ${index} of ${name}`, "nftables", "element", "in", name);
    });
  }
  return made;
}

function literally(text: string): string {
  return text.replace(/[.*+?^$()[\]{}|\\/]/g, "\\$&");
}
