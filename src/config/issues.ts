import type * as z from "zod";
import { Complaint } from "./complaint.ts";
import { nearest } from "./nearest.ts";
import type { Problems } from "./problems.ts";
import { homesOf, knownKeys } from "./schema.ts";
import type { Path } from "./source/document.ts";

/**
 * What the schema has against a file, as problems. Messages are only ever our own: a text of the
 * library would be a text about the received value.
 */
export function addIssues(problems: Problems, issues: readonly z.core.$ZodIssue[]): void {
  for (const issue of issues) {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    const misplaced = isNamed(path) ? misplacedName(path) : undefined;
    if (issue.code === "unrecognized_keys" && misplaced !== undefined) {
      problems.add(path, misplaced, { at: "key", where: path.slice(0, -1) });
    } else if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const complaint = unknownKey(key, knownKeys(path) ?? []);
        problems.add([...path, key], complaint, { at: "key", where: path });
      }
    } else if (issue.code === "invalid_key") {
      const complaint = Complaint.decode(issue.issues[0]?.message ?? issue.message);
      problems.add(path, complaint, { at: "key", where: path.slice(0, -1) });
    } else if (issue.code === "invalid_type" && isNamed(path)) {
      const complaint = misplaced ?? Complaint.decode(issue.message);
      problems.add(path, complaint, { at: "key", where: path.slice(0, -1) });
    } else {
      const unsupported = issue.code === "invalid_type" && issue.expected === "never";
      problems.add(path, Complaint.decode(issue.message), { at: unsupported ? "key" : "value" });
    }
  }
}

/** A tunnel or a peer; what is none is perhaps no name either, but a secret in the wrong place. */
function isNamed(path: Path): boolean {
  return path.length === 2 ? path[0] === "tunnels" : path.length === 4 && path[2] === "peers";
}

/** A known key where a tunnel or peer should be called something: most likely it is indented wrongly. */
function misplacedName(path: Path): Complaint | undefined {
  const name = String(path.at(-1));
  const homes = homesOf(name);
  if (homes.length === 0) return undefined;
  const wanted = path.length === 2 ? "a tunnel" : "a peer";
  return new Complaint(
    `\`${name}\` where the name of ${wanted} is wanted`,
    homes.includes(wanted)
      ? `indent it below the name of ${wanted}`
      : `it belongs to ${homes.join(" or ")}: mind the indentation`,
  );
}

/**
 * `{ secret, topsecret }` and `{secret:topsecret}` make a key of a secret, so only a key that looks like
 * a known one is shown, or one that is known elsewhere.
 */
function unknownKey(key: string, known: readonly string[]): Complaint {
  const homes = homesOf(key);
  if (homes.length > 0) {
    return new Complaint(`\`${key}\` is not a key here`, `it belongs to ${homes.join(" or ")}`);
  }
  // The distance costs the product of the lengths.
  const near = key.length <= 64 ? nearest(key, known) : undefined;
  if (near === undefined) return new Complaint("unknown key", `known are ${known.join(", ")}`);
  const alike = near.distance <= Math.max(1, Math.floor(near.name.length / 3));
  return alike
    ? new Complaint(`unknown key \`${key}\``, `did you mean \`${near.name}\`?`)
    : new Complaint("unknown key", `remove it; the nearest known one is \`${near.name}\``);
}
