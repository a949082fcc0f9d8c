/** JSON files, for generated configurations: as many values as they have, they load at the speed of JSON.parse. */
import { Complaint } from "../complaint.ts";
import { ConfigurationError, fileProblem } from "../problems.ts";
import { positionOf, type Source } from "./document.ts";
import { checkJson, locateInJson } from "./json-text.ts";
import { checkName, deepest, tooDeep } from "./limits.ts";

/** @throws ConfigurationError for syntax, a key that stands twice, and too deep a nesting. */
export function readJson(file: string, text: string): Source {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Its message quotes the text, which may be a secret, and has not always a position.
    refuse(file, text, new Complaint("not valid JSON"));
  }
  const measured = measure(value, 0);
  if (measured instanceof Complaint) refuse(file, text, measured);
  // JSON.parse keeps the last of two equal keys without a word; only their number betrays it.
  if (measured !== countKeys(text)) refuse(file, text, new Complaint("a key is given twice"));
  return {
    value,
    again: () => JSON.parse(text),
    document: { file, text, locate: (path, at) => locateInJson(text, path, at) },
  };
}

/** With the first flaw of the text where a strict reading finds one, else with this. */
function refuse(file: string, text: string, otherwise: Complaint): never {
  const flaw = checkJson(text) ?? { offset: 0, complaint: otherwise };
  throw new ConfigurationError([fileProblem(file, flaw.complaint, positionOf(text, flaw.offset))]);
}

/** Keys in all objects of a value. */
function measure(value: unknown, depth: number): number | Complaint {
  if (typeof value !== "object" || value === null) return 0;
  if (depth > deepest) return tooDeep;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item !== "object") continue;
      const inner = measure(item, depth + 1);
      if (typeof inner !== "number") return inner;
      keys += inner;
    }
    return keys;
  }
  const object = value as Readonly<Record<string, unknown>>;
  for (const name in object) {
    const complaint = checkName(name);
    if (complaint !== undefined) return complaint;
    keys++;
    const item = object[name];
    if (typeof item !== "object") continue;
    const inner = measure(item, depth + 1);
    if (typeof inner !== "number") return inner;
    keys += inner;
  }
  return keys;
}

/** Colons outside strings: one for each key in valid JSON. */
function countKeys(text: string): number {
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x3a) keys++;
    else if (character === 0x22) i = endOfString(text, i);
  }
  return keys;
}

/** The closing quote's position. */
function endOfString(text: string, open: number): number {
  let end = text.indexOf('"', open + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

/** By an odd number of backslashes. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (at - first) % 2 === 1;
}
