/** Configuration files and files that they name: found, read, never larger than they may be. */
import { isUtf8 } from "node:buffer";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { Complaint } from "./complaint.ts";
import { ConfigurationError, fileProblem, type Problem } from "./problems.ts";

/** Far more than any key or token needs; somebody could name a device file. */
const largestSecret = 65_536;

/**
 * The files behind the paths of `--config`, in their order: a folder stands for every `*.yaml` and `*.json`
 * in it, by name. A file named twice is read once.
 * @throws ConfigurationError
 */
export function findFiles(paths: readonly string[]): string[] {
  const problems: Problem[] = [];
  const found = new Map<string, string>();
  for (const path of paths) {
    try {
      const files = statSync(path).isDirectory() ? filesIn(path) : [path];
      if (files.length === 0) {
        problems.push(fileProblem(path, new Complaint("no *.yaml and no *.json in this folder")));
      }
      for (const file of files) {
        const real = realpathSync(file);
        if (!found.has(real)) found.set(real, file);
      }
    } catch (error) {
      problems.push(unreadable(path, error));
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return [...found.values()];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^[^.].*\.(?:yaml|json)$/s.test(name))
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => !statSync(file).isDirectory());
}

/** @throws ConfigurationError */
export function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ConfigurationError([unreadable(file, error)]);
  }
  if (!isUtf8(bytes)) {
    throw new ConfigurationError([
      fileProblem(file, new Complaint("not UTF-8 text", "save it as UTF-8")),
    ]);
  }
  const text = bytes.toString("utf8");
  return text.startsWith("\u{feff}") ? text.slice(1) : text;
}

function unreadable(file: string, error: unknown): Problem {
  const { complaint, kind } = readFailure(error);
  return fileProblem(file, complaint, undefined, kind);
}

/** Why a file could not be read. */
export interface ReadFailure {
  readonly complaint: Complaint;
  readonly kind: Problem["kind"];
}

function readFailure(error: unknown): ReadFailure {
  const code = errorCode(error);
  const what = reasons[code];
  if (what === undefined && !/^E[A-Z0-9]+$/.test(code)) throw error;
  return {
    complaint: what ?? new Complaint(`cannot be read (${code})`),
    kind: code === "EACCES" || code === "EPERM" ? "privilege" : "configuration",
  };
}

const denied = new Complaint(
  "no permission to read it",
  "let this user read it (the service's: `chgrp ipipoud FILE; chmod g+r FILE`), or run as root; once it runs, a daemon of root reads only what is root's",
);

const reasons: Readonly<Record<string, Complaint>> = {
  ENOENT: new Complaint("no such file", "create it, or correct the path"),
  ENOTDIR: new Complaint("no such file", "create it, or correct the path"),
  EISDIR: new Complaint("a folder, not a file", "name a file in it"),
  EACCES: denied,
  EPERM: denied,
  ELOOP: new Complaint("symbolic links in a circle", "correct the path"),
  ENAMETOOLONG: new Complaint("no such file: the name is too long", "correct the path"),
};

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** What paths may refer to. */
export interface Environment {
  readonly CREDENTIALS_DIRECTORY?: string | undefined;
}

/** A path as the file that names it means it; `${CREDENTIALS_DIRECTORY}` is systemd's. */
export function resolvePath(
  path: string,
  file: string,
  environment: Environment,
): string | Complaint {
  const folder = environment.CREDENTIALS_DIRECTORY;
  if (path.includes(credentials) && !folder) {
    return new Complaint(
      "CREDENTIALS_DIRECTORY is not set",
      "let systemd start it with LoadCredential=, or write an absolute path",
    );
  }
  const expanded = path.replaceAll(credentials, () => folder ?? "");
  if (expanded.includes("${")) {
    return new Complaint("an unknown variable in a path", `only ${credentials} is expanded`);
  }
  return isAbsolute(expanded) ? expanded : resolve(dirname(file), expanded);
}

const credentials = "$" + "{CREDENTIALS_DIRECTORY}";

/** A secret's bytes without one trailing newline. */
export function readSecretFile(path: string): Buffer | ReadFailure {
  let bytes: Buffer;
  try {
    bytes = readAtMost(path, largestSecret + 1);
  } catch (error) {
    const { complaint, kind } = readFailure(error);
    return { complaint: new Complaint(`${path}: ${complaint.what}`, complaint.mend), kind };
  }
  if (bytes.length > largestSecret) {
    const complaint = new Complaint(
      `${path}: more than ${largestSecret} bytes`,
      "name a file with one secret",
    );
    return { complaint, kind: "configuration" };
  }
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

function readAtMost(path: string, most: number): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    let left = most;
    while (left > 0) {
      const chunk = Buffer.allocUnsafe(Math.min(left, 4096));
      const length = readSync(descriptor, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      left -= length;
    }
    return chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}
