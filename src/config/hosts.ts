/**
 * A hosts file, as udptun has it: `{"nodes": {"192.168.100.1": {"host": "vps1.example.org", "port": 7777}}}`.
 * It comes from outside: what is wrong in one node refuses the whole, so that a half-written file never takes
 * half of a fleet away. Pure.
 */
import { formatPrefix, type IpAddress, type Prefix } from "../net/address.ts";
import { quoted } from "../net/printable.ts";
import { Complaint } from "./complaint.ts";
import type { Node, Nodes } from "./model.ts";
import { readEndpoint, readKey, readPrefix, readUnicast } from "./schema/scalars.ts";

/** udptun's, on both sides. */
export const nodePort = 7777;

/** A line of JSON for each of {@link mostNodes}, generously. */
export const largestHosts = 16 * 1024 * 1024;
export const mostNodes = 100_000;

const form = 'write {"nodes": {"192.168.100.1": {"host": "vps1.example.org"}}}';

export function readHosts(text: string): Nodes | Complaint {
  const value = parse(text);
  if (value instanceof Complaint) return value;
  if (!isMapping(value)) return new Complaint("not a mapping", form);
  const { nodes } = value;
  if (!isMapping(nodes)) return new Complaint('no mapping "nodes"', form);
  const read = new Map<IpAddress, Node>();
  for (const key in nodes) {
    if (read.size >= mostNodes) return new Complaint(`more than ${mostNodes} nodes`);
    const address = readUnicast(key);
    if (address instanceof Complaint) return ofNode(key, address);
    const node = readNode(nodes[key]);
    if (node instanceof Complaint) return ofNode(key, node);
    read.set(address, node);
  }
  return read;
}

/** One node for itself, as an entry of a store. */
export function readNodeText(text: string): Node | Complaint {
  const value = parse(text);
  return value instanceof Complaint ? value : readNode(value);
}

/** The same again, as {@link readHosts} reads it. */
export function writeHosts(nodes: Nodes): string {
  return JSON.stringify({
    nodes: Object.fromEntries([...nodes].map(([address, node]) => [address, writeNode(node)])),
  });
}

/** As it stands in a hosts file, or as an entry of a store. */
export function writeNode({ allowedIPs, ...node }: Node): Readonly<Record<string, unknown>> {
  return { ...node, ...(allowedIPs && { allowedIPs: allowedIPs.map(formatPrefix) }) };
}

function readNode(value: unknown): Node | Complaint {
  if (!isMapping(value)) return new Complaint("not a mapping", 'write {"host": HOST}');
  const { host, port = nodePort, publicKey } = value;
  if (host === undefined && publicKey !== undefined) {
    const more = readMore(value);
    return more instanceof Complaint ? more : { host, port: nodePort, ...more };
  }
  if (typeof host !== "string") return new Complaint("no host", 'write {"host": HOST}');
  if (typeof port !== "number") return new Complaint("a port that is no number");
  // The grammar of an endpoint: what holds there holds here.
  const endpoint = readEndpoint(`${host}:${port}`);
  if (endpoint instanceof Complaint) return endpoint;
  const at = { host: endpoint.host.toLowerCase(), port: endpoint.port };
  const more = readMore(value);
  return more instanceof Complaint ? more : { ...at, ...more };
}

/** What udptun has no word for, and reads over. */
function readMore({
  publicKey,
  allowedIPs,
  seen,
}: Readonly<Record<string, unknown>>): Omit<Node, "host" | "port"> | Complaint {
  const more: { publicKey?: string; allowedIPs?: readonly Prefix[]; seen?: true } = {};
  if (seen === true) more.seen = seen;
  if (publicKey !== undefined) {
    const key = typeof publicKey === "string" ? readKey(publicKey) : noKey;
    if (key instanceof Complaint) return new Complaint(`its publicKey: ${key.what}`, key.mend);
    more.publicKey = key.toString("base64");
  }
  if (allowedIPs !== undefined) {
    const prefixes = readPrefixes(allowedIPs);
    if (prefixes instanceof Complaint) return prefixes;
    more.allowedIPs = prefixes;
  }
  return more;
}

const noKey = new Complaint("not a text");

/** More than any host has behind it, and few enough for the gate. */
const mostPrefixes = 64;

function readPrefixes(value: unknown): readonly Prefix[] | Complaint {
  if (!Array.isArray(value)) return new Complaint("allowedIPs that are no list");
  if (value.length > mostPrefixes) return new Complaint(`more than ${mostPrefixes} allowedIPs`);
  const prefixes: Prefix[] = [];
  for (const text of value as readonly unknown[]) {
    const prefix = typeof text === "string" ? readPrefix(text) : noPrefix;
    if (prefix instanceof Complaint) {
      return new Complaint(`its allowedIPs: ${prefix.what}`, prefix.mend);
    }
    prefixes.push(prefix);
  }
  return prefixes;
}

const noPrefix = new Complaint("not a text");

/** V8's own words would quote what was received. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const page = text.trimStart().startsWith("<");
    return new Complaint(page ? "a page of HTML, not JSON" : "not valid JSON", form);
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Names the node; of what is no address no more than a line holds. */
function ofNode(key: string, { what, mend }: Complaint): Complaint {
  return new Complaint(`node ${quoted(key, 64)}: ${what}`, mend);
}
