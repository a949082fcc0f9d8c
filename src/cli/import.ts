/** `ipipoud import`: files and a command line of ipipou 0.1 as a configuration that our own reader takes. */

import { Complaint } from "../config/complaint.ts";
import { readText } from "../config/files.ts";
import { loadText } from "../config/load.ts";
import { ConfigurationError, type Problem } from "../config/problems.ts";
import { importTunnels, isProblems, type Source } from "../import/import.ts";
import { commandLine, type OldFile, problemAt, readOldFile, wordsOf } from "../import/words.ts";
import { exitCode, Failure } from "../net/failure.ts";

export interface ImportOptions {
  /** Each becomes a tunnel. */
  readonly files: readonly string[];
  /** Options as on ipipou 0.1's command line: for each file, or a tunnel of their own where there is none. */
  readonly args: readonly string[];
}

/**
 * The YAML, and whether it holds a secret.
 * @throws ConfigurationError with a line for each thing that can't be read exactly
 */
export function importOld({ files, args }: ImportOptions): {
  readonly text: string;
  readonly holdsSecret: boolean;
} {
  if (files.length === 0 && args.length === 0) {
    throw new Failure(
      exitCode.usage,
      "`import` wants files of ipipou 0.1",
      "or, behind `--`, its options",
    );
  }
  const problems: Problem[] = [];
  const read = (file: string): OldFile[] => {
    try {
      return [readOldFile(file, readText(file))];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  };
  const rest = takeConfigs(args);
  if (rest instanceof Complaint) {
    const origin = { file: commandLine, line: undefined };
    throw new ConfigurationError([problemAt(origin, "config", rest)]);
  }
  const more = rest.configs.flatMap(read);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const starts = files.map((file) => ({ name: file, first: read(file) }));
  if (files.length === 0) starts.push({ name: rest.configs[0] ?? commandLine, first: [] });
  const readable = starts.filter(({ first }) => first.length > 0 || files.length === 0);
  const sources = readable.map(({ name, first }): Source => {
    const parts = [...first, ...more];
    return {
      name,
      words: [...parts.flatMap(({ words }) => words), ...wordsOf(rest.args)],
      head: parts.flatMap(({ head }) => head),
      tail: parts.flatMap(({ tail }) => tail),
    };
  });
  // Each by itself first: what is wrong with one must not hide what is wrong with another.
  for (const source of sources) problems.push(...tryImport([source]).problems);
  if (problems.length > 0) throw new ConfigurationError(inOrder(problems));
  const whole = tryImport(sources);
  if (whole.problems.length > 0) throw new ConfigurationError(inOrder(whole.problems));
  return { text: whole.text, holdsSecret: secretKey.test(whole.text) };
}

/** Makes the text and reads it as a start would. */
function tryImport(sources: readonly Source[]): { text: string; problems: readonly Problem[] } {
  const imported = importTunnels(sources);
  if (isProblems(imported)) return { text: "", problems: imported };
  const { text } = imported;
  try {
    loadText("imported.yaml", text);
    return { text, problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { text, problems: error.problems.map(imported.explain) };
  }
}

const secretKey = /^ *(?:privateKey|secret|token|tokenBase64): /m;

/** Of one file by line; files as they came. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  return files.flatMap((file) =>
    problems
      .filter((problem) => problem.file === file)
      .sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  );
}

/** Before all else ipipou 0.1 takes each `--config NAME` out, wherever it stands. */
function takeConfigs(args: readonly string[]): { configs: string[]; args: string[] } | Complaint {
  const rest = [...args];
  const configs: string[] = [];
  for (let i = rest.indexOf("--config"); i >= 0; i = rest.indexOf("--config")) {
    const [, name] = rest.splice(i, 2);
    if (name === undefined) return new Complaint("no value", "write a file behind it");
    configs.push(/^\.{0,2}\//.test(name) ? name : `/etc/ipipou/${name}.conf`);
  }
  return { configs, args: rest };
}
