/** Inputs to begin with, from test/fuzz/corpus: what once went wrong is added there. */
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("../../../test/fuzz/corpus/", import.meta.url);

/** Each file of the target is one input. */
export function filesOf(target: string): Buffer[] {
  const own = new URL(`${target}/`, folder);
  return readdirSync(own).map((name) => readFileSync(new URL(name, own)));
}

/** Each line of the target's file is one input; those that begin with # are comments. */
export function linesOf(target: string): string[] {
  const lines = readFileSync(new URL(`${target}.txt`, folder), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}
