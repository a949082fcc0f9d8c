import { Complaint } from "./complaint.ts";
import { formatName, type Problems } from "./problems.ts";
import type { FilePart } from "./schema.ts";
import { Documents, type Path, type SourceDocument } from "./source/document.ts";

export interface Part {
  readonly document: SourceDocument;
  readonly content: FilePart;
}

/**
 * All files as one: tunnels and peers of one name become one, lists follow each other, and a value given
 * twice is a problem that names both places.
 */
export function merge(parts: readonly Part[], problems: Problems): FilePart {
  const [first, ...others] = parts;
  if (first === undefined) return {};
  const merged = first.content;
  const seen = [first.document];
  for (const { document, content } of others) {
    const conflict = (path: Path): void => {
      const here = new Documents([document]).place(path, "key");
      const there = new Documents(seen).place(path, "key");
      problems.add(path, givenTwice(path, there, here), { at: "key" });
    };
    mergeMapping(merged, content, [], conflict);
    seen.push(document);
  }
  return merged;
}

function givenTwice(path: Path, there: Spot, here: Spot): Complaint {
  return new Complaint(
    `${formatName(String(path.at(-1)))} is given twice, here and at ${here.file}:${here.line}:${here.column}`,
    there.file === here.file ? "remove one" : "remove one of them",
  );
}

interface Spot {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Values of the file go into the target in place: it is ours, made by the schema. */
function mergeMapping(
  target: object,
  source: object,
  path: Path,
  conflict: (path: Path) => void,
): void {
  const into = target as Record<string, unknown>;
  for (const [key, value] of Object.entries(source)) {
    const present = Object.hasOwn(into, key) ? into[key] : undefined;
    const inner = [...path, key];
    if (present === undefined) into[key] = value;
    else if (value === undefined) continue;
    else if (Array.isArray(present) && Array.isArray(value)) into[key] = [...present, ...value];
    else if (isMapping(inner)) mergeMapping(Object(present), Object(value), inner, conflict);
    else conflict(inner);
  }
}

/** Whether files may share what is at this path: everything else is one value, however it is written. */
function isMapping(path: Path): boolean {
  const [first, , third] = path;
  if (path.length === 1) return first === "tunnels" || first === "queue" || first === "log";
  if (first !== "tunnels") return false;
  if (path.length === 3 && third === "directory") return true;
  if (path.length === 5 && third === "peers" && path[4] === "heartbeat") return true;
  return path.length === 2 || ((path.length === 3 || path.length === 4) && third === "peers");
}
