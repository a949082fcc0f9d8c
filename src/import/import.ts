/** Files and command lines of ipipou 0.1 as one configuration of ours. */
import { Complaint } from "../config/complaint.ts";
import { formatName, formatPath, type Problem } from "../config/problems.ts";
import type { Given } from "./argparse.ts";
import { placeComments } from "./comments.ts";
import type { Entry } from "./entry.ts";
import { type OldTunnel, readOldTunnel } from "./old.ts";
import { nameOf } from "./options.ts";
import { type NewTunnel, newTunnel } from "./tunnel.ts";
import { type Whole, wholeOf } from "./whole.ts";
import { type OldFile, type Origin, problemAt } from "./words.ts";
import { type TunnelToWrite, writeYaml } from "./write.ts";

/** The options of one process of ipipou 0.1. */
export interface Source extends OldFile {
  /** As it was named. */
  readonly name: string;
}

export interface Imported {
  readonly text: string;
  /** What is wrong with a key of the text, told of the option that it comes from. */
  explain(problem: Problem): Problem;
}

/** @returns problems where a source can't be read exactly */
export function importTunnels(sources: readonly Source[]): Imported | readonly Problem[] {
  const problems: Problem[] = [];
  const made: { source: Source; old: OldTunnel; tunnel: NewTunnel }[] = [];
  for (const source of sources) {
    const origin = source.words[0]?.origin ?? { file: source.name, line: undefined };
    const old = readOldTunnel(source.words, origin);
    if (isProblems(old)) {
      problems.push(...old);
      continue;
    }
    const tunnel = newTunnel(old);
    problems.push(...tunnel.problems);
    const same = made.find((other) => other.tunnel.name === tunnel.name);
    if (same === undefined) made.push({ source, old, tunnel });
    else problems.push(sameName(tunnel, same.source, origin));
  }
  const whole = wholeOf(made.map(({ old }) => old));
  problems.push(...whole.problems);
  if (problems.length > 0) return problems;
  const others = [...whole.queue, ...whole.entries, ...whole.log];
  const toWrite = made.map(({ source, old, tunnel }): TunnelToWrite => {
    const comments = placeComments(old.given, tunnel, others);
    return { source: source.name, file: source, tunnel, comments };
  });
  const names = sources.map(({ name }) => name).join(", ");
  const head = [`Made by \`ipipoud import\` from ${JSON.stringify(names).slice(1, -1)}.`];
  return {
    text: writeYaml(head, toWrite, whole),
    explain: (problem) => explain(problem, origins(made, whole)),
  };
}

export function isProblems(result: object): result is readonly Problem[] {
  return Array.isArray(result);
}

function sameName(tunnel: NewTunnel, other: Source, origin: Origin): Problem {
  const given = lastOf(tunnel.nameFrom);
  const what = `the tunnel ${formatName(tunnel.name)} is in ${other.name} already`;
  const mend = "import files of different hosts apart, or give one another `number` or `tunl-dev`";
  const where = given === undefined ? "" : nameOf(given.option);
  return problemAt(given?.origin ?? origin, where, new Complaint(what, mend));
}

/** The one that stands last in its file. */
function lastOf(given: readonly Given[]): Given | undefined {
  const lines = given.map(({ origin }) => origin.line ?? 0);
  return given[lines.lastIndexOf(Math.max(...lines))];
}

/** Where each key of the text comes from, by its path as problems print it. */
type Origins = ReadonlyMap<string, { readonly origin: Origin; readonly option: string }>;

function origins(
  made: readonly { readonly source: Source; readonly tunnel: NewTunnel }[],
  { entries, queue, log }: Whole,
): Origins {
  const found = new Map<string, { origin: Origin; option: string }>();
  const add = (entry: Entry, path: readonly string[], otherwise: Origin): void => {
    const given = lastOf(entry.from);
    found.set(formatPath([...path, entry.key]), {
      origin: given?.origin ?? otherwise,
      option: given === undefined ? "" : nameOf(given.option),
    });
  };
  for (const { source, tunnel } of made) {
    const file = { file: source.name, line: undefined };
    const path = ["tunnels", tunnel.name];
    const named = lastOf(tunnel.nameFrom);
    found.set(formatPath(path), {
      origin: named?.origin ?? file,
      option: named === undefined ? "" : nameOf(named.option),
    });
    for (const entry of tunnel.entries) add(entry, path, file);
    for (const entry of tunnel.peerEntries) add(entry, [...path, "peers", tunnel.peerName], file);
  }
  const first = { file: made[0]?.source.name ?? "", line: undefined };
  for (const entry of entries) add(entry, [], first);
  for (const entry of queue) add(entry, ["queue"], first);
  for (const entry of log) add(entry, ["log"], first);
  return found;
}

function explain(problem: Problem, known: Origins): Problem {
  // A key without an origin of its own is that of what it stands in.
  let where = problem.where;
  while (where !== "" && !known.has(where)) where = where.replace(/(?:^|[.[])[^.[]*$/, "");
  const found = known.get(where);
  if (found === undefined) return { ...problem, line: undefined, column: undefined };
  const { origin, option } = found;
  return { ...problem, ...origin, column: undefined, where: option };
}
