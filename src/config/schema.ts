/**
 * The one source of the configuration's form: it validates, gives the types of what is read, and makes
 * the JSON Schema. What a single file can't tell (which keys need which) is decided in build/.
 */
import * as z from "zod";
import { Complaint } from "./complaint.ts";
import { directoryShape } from "./schema/directory.ts";
import { heartbeatShape } from "./schema/heartbeat.ts";
import { choice, flag, integer, path, text, wantMapping } from "./schema/leaf.ts";
import { metricsShape } from "./schema/metrics.ts";
import { markShape, proxyShape, routeShape, ruleShape } from "./schema/mobility.ts";
import { peerShape } from "./schema/peer.ts";
import { mappingReader, readBy, recordReader, refused } from "./schema/quick.ts";
import { readRate, readTableName } from "./schema/scalars.ts";
import { nameSchema, tunnelSchema, tunnelShape } from "./schema/tunnel.ts";

const rate = () => text(new Complaint("not a rate", "write 10/s"), readRate);

const queueShape = {
  number: integer(0, 65535).optional().describe("Number of the netfilter queue. Default 26992."),
  maxLength: integer(1, 1_000_000)
    .optional()
    .describe("Packets that may wait in the queue. Default 1024."),
  ratePerSource: rate()
    .optional()
    .describe("Packets a second from one source that no peer has yet. Default 10/s."),
  rateTotal: rate().optional().describe("The same, from all of them. Default 1000/s."),
};

const logShape = {
  level: choice(["error", "warning", "info", "debug"])
    .optional()
    .describe("What is logged: error, warning, info (default) or debug."),
  format: choice(["text", "json"]).optional().describe("Lines of text (default) or of JSON."),
};

const fileShape = {
  tunnels: readBy(
    z.record(nameSchema, tunnelSchema, wantMapping("write tunnels as NAME: { … }")),
    recordReader(nameSchema, mappingReader(tunnelShape)),
  )
    .optional()
    .describe("The tunnels by name; each is one network interface."),
  queue: z
    .strictObject(queueShape, wantMapping("write queue as { number: 26992 }"))
    .optional()
    .describe("The netfilter queue through which unknown packets for our ports are looked at."),
  table: text(new Complaint("not a name for an nf_tables table", "want a text"), readTableName)
    .optional()
    .describe("Name of our nf_tables table. Default ipipou."),
  counters: flag().optional().describe("Count traffic per peer in nf_tables. Default false."),
  conntrack: choice(["bypass", "track"])
    .optional()
    .describe(
      "Whether outer packets are tracked. Default: bypass for a tunnel that waits, track for one that only dials.",
    ),
  stateDirectory: path()
    .optional()
    .describe("Where replay marks and the like survive a restart. Default /var/lib/ipipoud."),
  control: path().optional().describe("The control socket. Default /run/ipipoud/control.sock."),
  log: z
    .strictObject(logShape, wantMapping("write log as { level: info }"))
    .optional()
    .describe("What is logged, and how."),
  metrics: z
    .strictObject(metricsShape, wantMapping("write metrics as { listen: 9787 }"))
    .optional()
    .describe("Metrics for Prometheus, over HTTP. Default: none."),
  onStop: choice(["remove", "keep"])
    .optional()
    .describe("What a clean stop does with interfaces and rules. Default remove."),
};

export const fileSchema = z.strictObject(
  fileShape,
  wantMapping("a configuration begins with `tunnels:`"),
);

/** What somebody may write in one file. */
export type ConfigurationFile = z.input<typeof fileSchema>;

/** One file after reading: names resolved to values, nothing merged, no defaults. */
export type FilePart = z.output<typeof fileSchema>;

const readFile = mappingReader(fileShape);

/**
 * What {@link fileSchema} would give, in a fraction of the time; undefined: it would complain.
 *
 * @param inPlace The value is changed into what is read; where it would complain, into something of both.
 */
export function readQuickly(value: unknown, inPlace: boolean): FilePart | undefined {
  const read = readFile(value, inPlace);
  return read === refused ? undefined : (read as FilePart);
}

/** What the items of a tunnel's lists hold. */
const ITEMS: Readonly<Record<string, object>> = {
  routes: routeShape,
  rules: ruleShape,
  marks: markShape,
  proxyArp: proxyShape,
};

/** The keys that are known at this path; undefined where names are free or no mapping is. */
export function knownKeys(path: readonly (string | number)[]): readonly string[] | undefined {
  const [first, , third] = path;
  if (path.length === 0) return Object.keys(fileShape);
  if (path.length === 1 && first === "queue") return Object.keys(queueShape);
  if (path.length === 1 && first === "log") return Object.keys(logShape);
  if (path.length === 1 && first === "metrics") return Object.keys(metricsShape);
  if (first !== "tunnels") return undefined;
  if (path.length === 2) return Object.keys(tunnelShape);
  if (path.length === 3 && third === "directory") return Object.keys(directoryShape);
  if (path.length === 5 && third === "peers" && path[4] === "heartbeat") {
    return Object.keys(heartbeatShape);
  }
  if (path.length !== 4) return undefined;
  if (third === "peers") return Object.keys(peerShape);
  const items = ITEMS[String(third)];
  return items === undefined ? undefined : Object.keys(items);
}

/** Where a key would be at home, for one that stands in the wrong mapping. */
export function homesOf(key: string): string[] {
  const homes = [
    ["a tunnel", tunnelShape],
    ["a peer", peerShape],
    ["directory", directoryShape],
    ["the top level", fileShape],
    ["queue", queueShape],
    ["log", logShape],
    ["metrics", metricsShape],
  ] as const;
  return homes.filter(([, shape]) => Object.hasOwn(shape, key)).map(([home]) => home);
}

/** JSON Schema (2020-12) of a configuration file as it is written. */
export function jsonSchema(): object {
  return {
    ...z.toJSONSchema(fileSchema, { io: "input" }),
    title: "ipipoud configuration",
  };
}
