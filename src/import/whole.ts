/** What a daemon has once and every process of ipipou 0.1 had for itself. */
import { Complaint } from "../config/complaint.ts";
import type { LogLevel } from "../config/model.ts";
import type { Problem } from "../config/problems.ts";
import type { Entry } from "./entry.ts";
import type { OldTunnel, Setting } from "./old.ts";
import { nameOf } from "./options.ts";
import { problemAt } from "./words.ts";

export interface Whole {
  /** Of the top level. */
  readonly entries: readonly Entry[];
  readonly log: readonly Entry[];
  readonly queue: readonly Entry[];
  readonly hints: readonly string[];
  readonly problems: readonly Problem[];
}

export function wholeOf(tunnels: readonly OldTunnel[]): Whole {
  const servers = tunnels.filter(({ mode }) => mode === "server");
  const problems: Problem[] = [];
  const noCounters = servers.flatMap((old) => old.noCounters.from);
  const several = tunnels.length > 1;
  return {
    log: [logLevel(tunnels.map(({ verbosity }) => verbosity))],
    queue: [
      ...queueNumber(servers.map((old) => old.queueNumber)),
      ...queueLength(
        servers.map((old) => old.queueLength),
        several,
      ),
    ],
    entries: [
      ...table(
        tunnels.map((old) => old.table),
        problems,
      ),
      ...(noCounters.length > 0 ? [{ key: "counters", value: false, from: noCounters }] : []),
    ],
    hints:
      servers.length > 0 && noCounters.length === 0
        ? ["counters: true  # traffic per peer; the rules of ipipou 0.1 counted new flows"]
        : [],
    problems,
  };
}

function logLevel(settings: readonly Setting<number>[]): Entry {
  const levels: readonly LogLevel[] = ["error", "warning", "info", "debug"];
  const most = Math.max(...settings.map(({ value }) => value));
  const from = settings.flatMap((setting) => setting.from);
  const value = levels[Math.min(Math.max(most, 0), 3)] ?? "error";
  const note = from.length > 0 ? undefined : "ipipou 0.1's default; ipipoud's is info";
  return { key: "level", value, from, note };
}

/** Two processes could not share a queue; one daemon needs only one. */
function queueNumber(settings: readonly Setting<number | undefined>[]): Entry[] {
  const from = settings.flatMap((setting) => setting.from);
  const [first, ...others] = settings.flatMap(({ value }) => value ?? []);
  if (first === undefined) return [];
  const note = others.length > 0 ? "one queue for all tunnels: the first's number" : undefined;
  return [{ key: "number", value: first, from, note }];
}

function queueLength(settings: readonly Setting<number | undefined>[], several: boolean): Entry[] {
  const from = settings.flatMap((setting) => setting.from);
  const values = settings.flatMap(({ value }) => value ?? []);
  if (values.length === 0) return [];
  const note = several ? "one queue for all tunnels: the longest" : undefined;
  return [{ key: "maxLength", value: Math.max(...values), from, note }];
}

function table(settings: readonly Setting<string | undefined>[], problems: Problem[]): Entry[] {
  const from = settings.flatMap((setting) => setting.from);
  const [first, ...others] = settings.filter(({ value }) => value !== undefined);
  if (first?.value === undefined) return [];
  for (const other of others) {
    const given = other.from[0];
    if (other.value === first.value || given === undefined) continue;
    const mend = "one daemon has one table: choose one name, or import them apart";
    const complaint = new Complaint("another table than that of the tunnel before", mend);
    problems.push(problemAt(given.origin, nameOf(given.option), complaint));
  }
  return [{ key: "table", value: first.value, from }];
}
