import { buildConfiguration } from "./build/configuration.ts";
import { type Environment, findFiles, readText } from "./files.ts";
import { addIssues } from "./issues.ts";
import { merge, type Part } from "./merge.ts";
import type { Configuration } from "./model.ts";
import { resolvePaths } from "./paths.ts";
import { ConfigurationError, type Problem, Problems } from "./problems.ts";
import { fileSchema, readQuickly } from "./schema.ts";
import { Documents, type Source, type SourceDocument } from "./source/document.ts";
import { readJson } from "./source/json.ts";
import { readYaml } from "./source/yaml.ts";

export interface LoadOptions {
  /** For `${CREDENTIALS_DIRECTORY}`; default: the process's. */
  readonly environment?: Environment;
}

/**
 * The configuration of these files and folders, validated, with secrets read and defaults filled in.
 * @param paths what `--config` named, in its order
 * @throws ConfigurationError with everything that is wrong, or as much of it as can be told at once
 */
export function loadConfiguration(
  paths: readonly string[],
  options: LoadOptions = {},
): Configuration {
  return build(readParts(findFiles(paths), readSource), options);
}

/**
 * The same of YAML that is in no file yet.
 * @param file what its problems call it, and what its paths are relative to
 * @throws ConfigurationError
 */
export function loadText(file: string, text: string, options: LoadOptions = {}): Configuration {
  return build(
    readParts([file], () => readYaml(file, text)),
    options,
  );
}

function build({ parts, problems }: Read, options: LoadOptions): Configuration {
  const environment = options.environment ?? process.env;
  for (const part of parts) resolvePaths(part, environment, problems);
  const merged = merge(parts, problems);
  problems.throwIfAny();
  const configuration = buildConfiguration(merged, problems);
  problems.throwIfAny();
  return configuration;
}

interface Read {
  readonly parts: readonly Part[];
  readonly problems: Problems;
}

/**
 * Every file by itself: first what can't be read or parsed, one flaw a file, else what the schema has
 * against them. Of a file's plain values nothing is kept: there may be very many.
 */
function readParts(files: readonly string[], read: (file: string) => Source): Read {
  const failures: Problem[] = [];
  const parts: Part[] = [];
  const documents: SourceDocument[] = [];
  const problems = new Problems(new Documents(documents));
  for (const file of files) {
    try {
      const { value, again, document } = read(file);
      documents.push(document);
      // An empty file is an empty configuration: everything may stand in another one.
      const quick = readQuickly(value ?? {}, again !== undefined);
      const result =
        quick === undefined ? fileSchema.safeParse((again ? again() : value) ?? {}) : undefined;
      const content = quick ?? result?.data;
      if (content !== undefined) parts.push({ document, content });
      else addIssues(problems, result?.error?.issues ?? []);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      failures.push(...error.problems);
    }
  }
  if (failures.length > 0) throw new ConfigurationError(failures);
  problems.throwIfAny();
  return { parts, problems };
}

function readSource(file: string): Source {
  const text = readText(file);
  return file.endsWith(".json") ? readJson(file, text) : readYaml(file, text);
}
